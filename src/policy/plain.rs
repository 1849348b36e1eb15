//! Policy sets that were not written for cutter: whatever files, schemas, ids and templates Cedar itself reads.

mod read;

pub use read::{is_of_bundle, unread};
pub(super) use read::{is_schema, refused};

use super::{BundleSources, PolicyBundle, validity};
use crate::cedar::tokens;
use crate::prelude::{self, Prelude};
use crate::problem::{Problem, Problems, Source};
use crate::schema::RunSchema;
use crate::signature::AllowedSigners;
use cedar_policy::{PolicyId, Schema, SchemaFragment};
use read::Read;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Whether the files were written for cutter: they name its prelude, or hold what only it reads, and do not stand in its place.
pub fn is_own(sources: &BundleSources) -> bool {
    let names = |source: &Source| {
        let text = source.text();
        tokens::tokens(text).iter().any(|token| token.of(text) == prelude::NAMESPACE)
    };
    let is_named = sources.signers.is_some() || sources.schemas.iter().chain(&sources.policies).any(names);
    is_named && in_place_of_prelude(sources).is_none()
}

/// The schema that declares actions in the prelude's namespace where no other declares any: it has the prelude's place and is not
/// built on it, as bundles for something else of that name, or for a cutter of long ago.
pub fn in_place_of_prelude(sources: &BundleSources) -> Option<&Source> {
    let declared = sources.schemas.iter().filter_map(|source| {
        let json = RunSchema::fragment(source).ok()?.to_json_value().ok()?;
        let has_any = |body: &Value| body.get("actions").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
        let namespaces = json.as_object()?.iter().filter(|(_, body)| has_any(body));
        Some(namespaces.map(|(name, _)| (name == prelude::NAMESPACE, source)).collect::<Vec<_>>())
    });
    let declared: Vec<(bool, &Source)> = declared.flatten().collect();
    let (_, first) = declared.first()?;
    declared.iter().all(|(is_prelude, _)| *is_prelude).then_some(*first)
}

/// Whether a file holds properties of cutter's own, which are no policies.
pub fn is_property(source: &Source) -> bool {
    tokens::annotation(source.text(), "of").is_some()
}

impl PolicyBundle {
    /// Reads a policy set that was not written for cutter, as far as it can be read; what is wrong is added to `problems`.
    ///
    /// `None` if no policy could be read at all.
    pub fn plain(sources: &BundleSources, problems: &mut Problems) -> Option<Self> {
        let read = Read::of(sources, problems);
        if let Some(problem) = several(&read.schemas, &sources.name) {
            problems.push(problem);
            return None;
        }
        let schema = read.schema(problems);
        if read.policies.is_empty() && read.templates.is_empty() {
            if problems.is_empty() {
                problems.push(
                    Problem::invalid(format!("`{}` has no policies", sources.name))
                        .help("name the folder that holds `*.cedar` files with --policies"),
                );
            }
            return None;
        }
        let mut policies = read.policies.clone();
        let mut by_id: BTreeMap<String, usize> = BTreeMap::new();
        for index in 0..policies.len() {
            let Some(policy) = policies.get(index) else { continue };
            let first = by_id.get(policy.id()).and_then(|first| policies.get(*first));
            if let Some(first) = first {
                let (line, _) = first.source.position(first.span.start);
                problems.push(
                    Problem::invalid(format!("two policies have the id `{}`", policy.id()))
                        .at(&policy.source, policy.span.clone())
                        .help(format!("the first is at {}:{line}; rename one", first.source.name())),
                );
                let name = read.place_name(&policy.source, &policy.span);
                if let Some(policy) = policies.get_mut(index) {
                    policy.annotations.id = format!("{} at {name}", policy.annotations.id);
                    policy.policy = policy.policy.new_id(PolicyId::new(&policy.annotations.id));
                }
            }
            if let Some(policy) = policies.get(index) {
                by_id.insert(policy.id().to_owned(), index);
            }
        }
        let has_schema = schema.is_some();
        let before = problems.count();
        if let Some(schema) = &schema {
            validity::validate(schema.schema(), &policies, &by_id, problems);
            validity::templates(schema.schema(), &read.templates, problems);
        }
        let is_valid = has_schema && problems.count() == before;
        let nothing = || Some(RunSchema::plain(empty_schema()?, Value::Null, Source::new("", "")));
        Some(Self {
            schema: schema.or_else(nothing)?,
            policies,
            by_id,
            signers: AllowedSigners::nobody(),
            listing: sources.listing.clone(),
            sources: BundleSources { people: Vec::new(), signers: None, ..sources.clone() },
            prelude: Prelude::current(),
            kind: super::Kind::Plain {
                has_schema,
                is_valid,
                templates: read.unlinked,
                schemas: read.schemas.into_iter().map(|(_, source)| source).collect(),
                texts: sources.policies.iter().chain(&read.texts).cloned().collect(),
            },
        })
    }
}

/// Says of a folder with several policy sets which there are: each has a schema in a folder of its own.
fn several(schemas: &[(SchemaFragment, Source)], name: &str) -> Option<Problem> {
    let folder = |source: &Source| Path::new(source.name()).parent().unwrap_or(Path::new("")).to_path_buf();
    let folders: BTreeSet<PathBuf> = schemas.iter().map(|(_, source)| folder(source)).collect();
    let is_inner = |of: &&PathBuf| folders.iter().any(|other| other != *of && of.starts_with(other));
    let outermost: Vec<String> =
        folders.iter().filter(|of| !is_inner(of)).map(|folder| format!("`{}`", folder.display())).collect();
    let shown = outermost.get(..outermost.len().min(SHOWN))?.join(", ");
    let more = match outermost.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("`{name}` holds {} policy sets with a schema each: {shown}{more}", outermost.len());
    (outermost.len() > 1).then(|| Problem::invalid(message).help("name one of them with --policies"))
}

/// How many policy sets are named.
const SHOWN: usize = 6;

fn empty_schema() -> Option<Schema> {
    Schema::from_json_value(serde_json::json!({})).ok()
}
