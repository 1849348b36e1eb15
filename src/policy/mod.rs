//! The policy bundle: a strictly validated policy set, its schema, the tiers, and the digest of it all.

pub mod annotations;
mod file;
mod never;
mod plain;
mod validity;

pub use plain::{in_place_of_prelude, is_of_bundle, is_own, is_property, unread};

use crate::digest::{Digest, Listing};
use crate::prelude::{self, Prelude};
use crate::problem::{Code, Coded as _, Problem, Problems, Source, nearest};
use crate::schema::RunSchema;
use crate::signature::AllowedSigners;
use annotations::{Annotations, Tier};
use cedar_policy::{Effect, Policy};
use file::at_annotation;
pub(crate) use file::in_text_order;
use std::collections::BTreeMap;
use std::ops::Range;

/// The files of a bundle, read but not yet understood.
#[derive(Clone, Debug)]
pub struct BundleSources {
    /// Every `*.cedarschema` file.
    pub schemas: Vec<Source>,
    /// Every `*.cedar` file, in the order of their names.
    pub policies: Vec<Source>,
    /// `allowed_signers`, where there is one.
    pub signers: Option<Source>,
    /// Every `*.json` file: entities whose group membership is authority, and is signed with the bundle.
    pub people: Vec<Source>,
    /// The configuration, where there is one.
    pub config: Option<Source>,
    /// The `sha256sum` listing of everything in the bundle and `cutter.toml`, made from the same bytes; without the prelude.
    pub listing: Listing,
    /// What messages call the folder.
    pub name: String,
}

/// A policy set that was validated strictly against its schema, without warnings, and whose tiers are known.
#[derive(Clone, Debug)]
pub struct PolicyBundle {
    schema: RunSchema,
    policies: Vec<BundlePolicy>,
    by_id: BTreeMap<String, usize>,
    signers: AllowedSigners,
    listing: Listing,
    sources: BundleSources,
    prelude: &'static Prelude,
    kind: Kind,
}

/// What a bundle was written for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    /// The runtime: each ban has a tier, each request a `context.run`.
    Own,
    /// Cedar alone.
    Plain {
        has_schema: bool,
        is_valid: bool,
        templates: Vec<UnlinkedTemplate>,
        schemas: Vec<Source>,
        texts: Vec<Source>,
    },
}

/// One policy and where it stands.
#[derive(Clone, Debug)]
pub struct BundlePolicy {
    /// Cedar's policy; its id is the `@id`.
    pub policy: Policy,
    /// What its annotations say.
    pub annotations: Annotations,
    /// The file it stands in.
    pub source: Source,
    /// The bytes of the file it stands in, annotations included.
    pub span: Range<usize>,
    /// Whether it is an action of the group `never`, which stands in the schema; its id is the action's name.
    pub is_action: bool,
}

/// A template that no link makes a policy of, and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnlinkedTemplate {
    /// Its `@id`, or the place where it stands.
    pub name: String,
    /// What its links would do.
    pub effect: Effect,
    /// The file it stands in.
    pub source: Source,
    /// The bytes of the file it stands in.
    pub span: Range<usize>,
}

impl UnlinkedTemplate {
    /// Its text.
    pub fn text(&self) -> &str {
        self.source.text().get(self.span.clone()).unwrap_or_default()
    }
}

impl BundlePolicy {
    /// Whether it has no name but the place where it stands.
    pub fn is_unnamed(&self) -> bool {
        !self.is_action && self.policy.annotation("id").is_none_or(str::is_empty)
    }

    /// The policy's only identity.
    pub fn id(&self) -> &str {
        &self.annotations.id
    }

    /// Whether it belongs to the prelude, and not to the bundle.
    pub fn is_prelude(&self) -> bool {
        self.source.name() == prelude::NAME
    }

    /// The row's text in the report, or the id where there is none.
    pub fn title(&self) -> &str {
        self.annotations.title.as_deref().unwrap_or(self.id())
    }

    /// Why it is forbidden, in a sentence; the title where there is none.
    pub fn reason(&self) -> &str {
        self.annotations.reason.as_deref().unwrap_or(self.title())
    }
}

impl PolicyBundle {
    /// Reads, names and validates a bundle; all that is wrong with it is reported together.
    pub fn parse(sources: &BundleSources) -> Result<Self, Problems> {
        Self::parse_within(sources, Prelude::current())
    }

    /// The same bundle within another version of the prelude, as an older record has it.
    pub fn within(&self, prelude: &'static Prelude) -> Result<Self, Problems> {
        Self::parse_within(&self.sources, prelude)
    }

    fn parse_within(sources: &BundleSources, prelude: &'static Prelude) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        let schema = match sources.schemas.as_slice() {
            [schema] => problems.absorb(RunSchema::parse(schema, prelude)),
            // A schema in another form is refused below, with what to do.
            [] if sources.people.iter().any(plain::is_schema) => None,
            [] => {
                problems.push(
                    Problem::invalid(format!("`{}` has no `*.cedarschema` file", sources.name))
                        .help("a policy bundle is one schema and any number of `*.cedar` files"),
                );
                None
            }
            several => {
                let names: Vec<&str> = several.iter().map(Source::name).collect();
                problems.push(
                    Problem::invalid(format!("`{}` has {} schemas, not one", sources.name, several.len()))
                        .help(format!("join or remove: {}", names.join(", "))),
                );
                None
            }
        };
        let gates = schema.as_ref().map(|schema| schema.gates().to_vec());
        let mut policies = Vec::new();
        for source in &sources.policies {
            let found = file::parse(source, gates.as_deref());
            policies.extend(problems.absorb(found).unwrap_or_default());
        }
        refuse_reserved_ids(&policies, &mut problems);
        for source in &sources.people {
            plain::refused(source).into_iter().for_each(|problem| problems.push(problem));
        }
        if sources.policies.is_empty() || (problems.is_empty() && policies.is_empty()) {
            problems.push(
                Problem::invalid(format!("`{}` has no policies", sources.name))
                    .help("an empty bundle would deny everything; name the folder with --policies"),
            );
        }
        if let Some(schema) = &schema {
            policies.extend(problems.absorb(never::bans(schema, &policies)).unwrap_or_default());
        }
        // Last, so that a ban of the bundle that fires, too, is the one that is shown.
        let built_in = file::parse(&prelude.source(), gates.as_deref());
        policies.extend(problems.absorb(built_in).unwrap_or_default());
        let mut by_id: BTreeMap<String, usize> = BTreeMap::new();
        for (index, policy) in policies.iter().enumerate() {
            if let Some(first) = by_id.insert(policy.id().to_owned(), index).and_then(|first| policies.get(first)) {
                let (line, _) = first.source.position(first.span.start);
                problems.push(
                    Problem::invalid(format!("two policies have the id `{}`", policy.id()))
                        .at(&policy.source, at_annotation(&policy.source, &policy.span, "id"))
                        .help(format!("the first is at {}:{line}; rename one", first.source.name())),
                );
            }
        }
        let signers = match &sources.signers {
            Some(source) => problems.absorb(AllowedSigners::parse(source)),
            None => Some(AllowedSigners::nobody()),
        };
        refuse_unknown_presuppositions(&policies, &by_id, &mut problems);
        // Ids must be unique before policies can be joined, and only named policies can be validated.
        let (Some(schema), Some(signers), true) = (schema, signers, problems.is_empty()) else { return Err(problems) };
        validity::validate(schema.schema(), &policies, &by_id, &mut problems);
        problems.or(Self {
            schema,
            policies,
            by_id,
            signers,
            listing: sources.listing.with(prelude::NAME, prelude.digest()),
            sources: sources.clone(),
            prelude,
            kind: Kind::Own,
        })
    }

    /// The same with another policy at a place, or with none: what a review holds against the bundle. It is not validated again.
    #[must_use]
    pub fn with(&self, at: usize, policy: Option<BundlePolicy>) -> Self {
        let mut changed = self.clone();
        match policy {
            Some(policy) => {
                if let Some(place) = changed.policies.get_mut(at) {
                    *place = policy;
                }
            }
            None if at < changed.policies.len() => drop(changed.policies.remove(at)),
            None => {}
        }
        let ids = changed.policies.iter().enumerate().map(|(at, policy)| (policy.id().to_owned(), at));
        changed.by_id = ids.collect();
        changed
    }

    /// The schema, and what the runtime knows of it.
    pub fn schema(&self) -> &RunSchema {
        &self.schema
    }

    /// The prelude it is judged within.
    pub fn prelude(&self) -> &'static Prelude {
        self.prelude
    }

    /// Every policy, in the order of the files and then of the text; then the actions of the group `never`; the prelude's come last.
    pub fn policies(&self) -> &[BundlePolicy] {
        &self.policies
    }

    /// The bundle's own policies and actions of the group `never`, without the prelude's.
    pub fn own(&self) -> &[BundlePolicy] {
        let count = self.policies.iter().take_while(|policy| !policy.is_prelude()).count();
        self.policies.get(..count).unwrap_or_default()
    }

    /// The policy with this `@id`.
    pub fn policy(&self, id: &str) -> Option<&BundlePolicy> {
        self.policies.get(*self.by_id.get(id)?)
    }

    /// The tier of the `forbid` with this `@id`.
    pub fn tier(&self, id: &str) -> Option<&Tier> {
        self.policy(id)?.annotations.tier.as_ref()
    }

    /// Entities that belong to the bundle: who is in which group.
    pub fn people(&self) -> &[Source] {
        &self.sources.people
    }

    /// Whose signatures approvals may carry.
    pub fn signers(&self) -> &AllowedSigners {
        &self.signers
    }

    /// The file of the signers, where there is one.
    pub fn signers_source(&self) -> Option<&Source> {
        self.sources.signers.as_ref()
    }

    /// The files of policies and templates, those that hold none among them.
    pub fn policy_sources(&self) -> &[Source] {
        match &self.kind {
            Kind::Own => &self.sources.policies,
            Kind::Plain { texts, .. } => texts,
        }
    }

    /// The files that declare the schema.
    pub fn schema_sources(&self) -> &[Source] {
        match &self.kind {
            Kind::Own => &self.sources.schemas,
            Kind::Plain { schemas, .. } => schemas,
        }
    }

    /// Whether it was not written for the runtime, so that nothing is asked of it that only the runtime knows.
    pub fn is_plain(&self) -> bool {
        self.kind != Kind::Own
    }

    /// Whether it has a schema, and all of it is valid: only then can anything be proved.
    pub fn is_provable(&self) -> bool {
        !matches!(self.kind, Kind::Plain { is_valid: false, .. })
    }

    /// Whether it has a schema at all.
    pub fn has_schema(&self) -> bool {
        !matches!(self.kind, Kind::Plain { has_schema: false, .. })
    }

    /// The templates that no link makes a policy of.
    pub fn unlinked_templates(&self) -> &[UnlinkedTemplate] {
        match &self.kind {
            Kind::Own => &[],
            Kind::Plain { templates, .. } => templates,
        }
    }

    /// The sorted `sha256sum` listing of everything in the bundle, `cutter.toml` and the prelude: what is signed.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// Sha-256 over the listing.
    pub fn digest(&self) -> Digest {
        self.listing.digest()
    }
}

/// Ids that begin as the prelude's do are the prelude's.
/// Whether an id can only be the prelude's.
pub fn is_reserved(id: &str) -> bool {
    id.starts_with(prelude::PREFIX)
}

fn refuse_reserved_ids(policies: &[BundlePolicy], problems: &mut Problems) {
    for policy in policies.iter().filter(|policy| is_reserved(policy.id())) {
        let message = format!("policy `{}` has an id that begins with `{}`", policy.id(), prelude::PREFIX);
        problems.push(
            Problem::invalid(message)
                .at(&policy.source, at_annotation(&policy.source, &policy.span, "id"))
                .help("such ids belong to the prelude; rename it")
                .coded(Code::NameReserved),
        );
    }
}

/// `@presupposes` names another ban that is a row of the report.
fn refuse_unknown_presuppositions(policies: &[BundlePolicy], by_id: &BTreeMap<String, usize>, problems: &mut Problems) {
    for policy in policies {
        let Some(other) = &policy.annotations.presupposes else { continue };
        let found = by_id.get(other).and_then(|index| policies.get(*index));
        let is_row = |other: &BundlePolicy| !matches!(other.annotations.tier, None | Some(Tier::Gate(_)));
        if other != policy.id() && found.is_some_and(is_row) {
            continue;
        }
        let message = format!("policy `{}` presupposes `{other}`, which is not another ban of the report", policy.id());
        let help = match nearest(other, by_id.keys().map(String::as_str)) {
            Some(meant) if meant != policy.id() => format!("did you mean `{meant}`?"),
            _ => "name the id of the ban that must be broken first".to_owned(),
        };
        let at = at_annotation(&policy.source, &policy.span, "presupposes");
        problems.push(Problem::invalid(message).at(&policy.source, at).help(help));
    }
}
