//! The policy bundle: a strictly validated policy set, its schema, the tiers, and the digest of it all.

pub mod annotations;

use crate::cedar::{Statements, depth, diagnostics, tokens, unclosed};
use crate::digest::{Digest, Listing};
use crate::problem::{Problem, Problems, Source, nearest};
use crate::schema::RunSchema;
use crate::signature::AllowedSigners;
use annotations::{Annotations, Tier};
use cedar_policy::{Effect, Policy, PolicyId, PolicySet, ValidationMode, Validator};
use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr as _;

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
    /// The `sha256sum` listing of everything in the bundle and `cutter.toml`, made from the same bytes.
    pub listing: Listing,
    /// What messages call the folder.
    pub name: String,
}

/// A policy set that was validated strictly against its schema, without warnings, and whose tiers are known.
#[derive(Debug)]
pub struct PolicyBundle {
    schema: RunSchema,
    policies: Vec<BundlePolicy>,
    by_id: BTreeMap<String, usize>,
    signers: AllowedSigners,
    people: Vec<Source>,
    listing: Listing,
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
}

impl BundlePolicy {
    /// The policy's only identity.
    pub fn id(&self) -> &str {
        &self.annotations.id
    }

    /// The row's text in the report, or the id where there is none.
    pub fn title(&self) -> &str {
        self.annotations.title.as_deref().unwrap_or(self.id())
    }
}

impl PolicyBundle {
    /// Reads, names and validates a bundle; all that is wrong with it is reported together.
    pub fn parse(sources: &BundleSources) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        let schema = match sources.schemas.as_slice() {
            [schema] => problems.absorb(RunSchema::parse(schema)),
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
            let found = parse_file(source, gates.as_deref());
            policies.extend(problems.absorb(found).unwrap_or_default());
        }
        if sources.policies.is_empty() || (problems.is_empty() && policies.is_empty()) {
            problems.push(
                Problem::invalid(format!("`{}` has no policies", sources.name))
                    .help("an empty bundle would deny everything; name the folder with --policies"),
            );
        }
        let mut by_id: BTreeMap<String, usize> = BTreeMap::new();
        for (index, policy) in policies.iter().enumerate() {
            if let Some(first) = by_id.insert(policy.id().to_owned(), index).and_then(|first| policies.get(first)) {
                let (line, _) = first.source.position(first.span.start);
                problems.push(
                    Problem::invalid(format!("two policies have the id `{}`", policy.id()))
                        .at(&policy.source, at_annotation(&policy.source, &policy.span, "id"))
                        .help(format!("the first stands at {}:{line}; rename one", first.source.name())),
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
        validate(&schema, &policies, &by_id, &mut problems);
        problems.or(Self {
            schema,
            policies,
            by_id,
            signers,
            people: sources.people.clone(),
            listing: sources.listing.clone(),
        })
    }

    /// The schema, and what the runtime knows of it.
    pub fn schema(&self) -> &RunSchema {
        &self.schema
    }

    /// Every policy, in the order of the files and then of the text.
    pub fn policies(&self) -> &[BundlePolicy] {
        &self.policies
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
        &self.people
    }

    /// Whose signatures approvals may carry.
    pub fn signers(&self) -> &AllowedSigners {
        &self.signers
    }

    /// The sorted `sha256sum` listing of everything in the bundle and `cutter.toml`: what is signed.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// Sha-256 over the listing.
    pub fn digest(&self) -> Digest {
        self.listing.digest()
    }
}

/// The policies of one file in the order of its text, with the bytes of each; a template is refused.
pub(crate) fn in_text_order(source: &Source) -> Result<Vec<(Policy, Range<usize>)>, Problems> {
    depth::check(source)?;
    let set = match PolicySet::from_str(source.text()) {
        Ok(set) => set,
        Err(errors) => {
            let mut problems = Problems::new();
            let unclosed = unclosed(source, Statements::Policies);
            // What Cedar says of something unclosed, and of the text after it, follows from that.
            let sound = unclosed.first().map_or(usize::MAX, |(start, _)| *start);
            for error in errors.iter().filter(|error| diagnostics::span(*error).is_none_or(|at| at.end <= sound)) {
                problems.push(diagnostics::problem(error, "a policy cannot be read", source));
            }
            unclosed.into_iter().for_each(|(_, problem)| problems.push(problem));
            return Err(problems);
        }
    };
    let mut problems = Problems::new();
    if let Some(template) = set.templates().next() {
        let message = format!("`{}` has a policy template", source.name());
        let at = source.text().find(&template.to_cedar()).map(|start| start..start + template.to_cedar().len());
        let problem =
            Problem::invalid(message).help("a template does nothing until it is linked; write the policy out");
        problems.push(at.map_or_else(|| problem.clone().of(source), |at| problem.clone().at(source, at)));
    }
    // Cedar names the policies of one text policy0, policy1 ... in their order.
    let mut in_order: Vec<(usize, &Policy)> = set
        .policies()
        .filter_map(|policy| Some((policy.id().to_string().strip_prefix("policy")?.parse().ok()?, policy)))
        .collect();
    in_order.sort_by_key(|(number, _)| *number);
    let mut end = 0;
    let policies = in_order.into_iter().map(|(_, policy)| {
        let text = policy.to_cedar().unwrap_or_default();
        let start = source.text().get(end..).and_then(|rest| rest.find(&text)).map_or(end, |at| end + at);
        end = start + text.len();
        (policy.clone(), start..end)
    });
    let policies = policies.collect();
    problems.or(policies)
}

/// The policies of one file, named by their `@id`; without `gates` the annotations' gates are not checked.
fn parse_file(source: &Source, gates: Option<&[String]>) -> Result<Vec<BundlePolicy>, Problems> {
    let mut problems = Problems::new();
    let mut policies = Vec::new();
    for (policy, span) in in_text_order(source)? {
        let is_forbid = policy.effect() == Effect::Forbid;
        let all_gates: Vec<String>;
        let gates = match gates {
            Some(gates) => gates,
            None => {
                all_gates = policy.annotation("gate").map(str::to_owned).into_iter().collect();
                &all_gates
            }
        };
        match Annotations::parse(policy.annotations(), is_forbid, gates) {
            Ok(annotations) => policies.push(BundlePolicy {
                policy: policy.new_id(PolicyId::new(&annotations.id)),
                annotations,
                source: source.clone(),
                span,
            }),
            Err(faults) => {
                let name = policy.annotation("id").filter(|id| !id.is_empty());
                let name = name.map_or_else(|| "a policy".to_owned(), |id| format!("policy `{id}`"));
                for fault in faults {
                    let at = fault.key.map_or_else(|| span.clone(), |key| at_annotation(source, &span, &key));
                    let problem = Problem::invalid(format!("{name} {}", fault.message)).at(source, at);
                    problems.push(match fault.help {
                        Some(help) => problem.help(help),
                        None => problem,
                    });
                }
            }
        }
    }
    problems.or(policies)
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
        let message = format!("policy `{}` presupposes `{other}`, which is no other ban of the report", policy.id());
        let help = match nearest(other, by_id.keys().map(String::as_str)) {
            Some(meant) if meant != policy.id() => format!("did you mean `{meant}`?"),
            _ => "name the id of the ban that must be broken first".to_owned(),
        };
        let at = at_annotation(&policy.source, &policy.span, "presupposes");
        problems.push(Problem::invalid(message).at(&policy.source, at).help(help));
    }
}

/// Where an annotation of the policy that stands here is; the whole policy where it has none of that name.
fn at_annotation(source: &Source, policy: &Range<usize>, key: &str) -> Range<usize> {
    let found = source.text().get(policy.clone()).and_then(|text| tokens::annotation(text, key));
    found.map_or_else(|| policy.clone(), |at| policy.start + at.start..policy.start + at.end)
}

/// Strict validation; a warning is as bad as an error.
fn validate(schema: &RunSchema, policies: &[BundlePolicy], by_id: &BTreeMap<String, usize>, problems: &mut Problems) {
    let set = match PolicySet::from_policies(policies.iter().map(|policy| policy.policy.clone())) {
        Ok(set) => set,
        Err(error) => return problems.push(Problem::invalid(format!("the policies cannot be joined: {error}"))),
    };
    let result = Validator::new(schema.schema().clone()).validate(&set, ValidationMode::Strict);
    let findings = result
        .validation_errors()
        .map(|error| (error.policy_id(), error as &dyn miette::Diagnostic))
        .chain(result.validation_warnings().map(|warning| (warning.policy_id(), warning as &dyn miette::Diagnostic)));
    let mut found: Vec<(usize, Problem)> = findings
        .filter_map(|(id, finding)| {
            let index = *by_id.get(&id.to_string())?;
            let policy = policies.get(index)?;
            let mut problem = diagnostics::problem(finding, "", &policy.source);
            // Cedar begins its message with the policy's id; ours does, too.
            let cause = problem.message.trim_start_matches(": ");
            let cause = cause.strip_prefix(&format!("for policy `{id}`, ")).unwrap_or(cause);
            problem.message = format!("policy `{id}` is not valid: {cause}");
            problem.span = problem.span.or(Some(policy.span.clone()));
            Some((index, problem))
        })
        .collect();
    // Cedar reports in no fixed order.
    found.sort_by(|(a, x), (b, y)| (a, &x.message).cmp(&(b, &y.message)));
    found.into_iter().for_each(|(_, problem)| problems.push(problem));
    if problems.is_empty() && !result.validation_passed_without_warnings() {
        problems
            .push(Problem::invalid("the policies do not validate").help("Cedar found fault with the set as a whole"));
    }
}
