//! Policy sets that were not written for cutter: whatever files, schemas, ids and templates Cedar itself reads.

mod read;

pub(super) use read::{is_schema, refused};

use super::{BundleSources, PolicyBundle, validity};
use crate::cedar::tokens;
use crate::prelude::{self, Prelude};
use crate::problem::{Problem, Problems, Source};
use crate::schema::RunSchema;
use crate::signature::AllowedSigners;
use cedar_policy::{PolicyId, Schema, SchemaFragment};
use read::{Read, place_name};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Whether the files were written for cutter: they name its prelude, or hold what only it reads.
pub fn is_own(sources: &BundleSources) -> bool {
    let names = |source: &Source| {
        let text = source.text();
        tokens::tokens(text).iter().any(|token| token.of(text) == prelude::NAMESPACE)
    };
    sources.signers.is_some() || sources.schemas.iter().chain(&sources.policies).any(names)
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
        let mut policies = read.policies;
        let mut by_id: BTreeMap<String, usize> = BTreeMap::new();
        for index in 0..policies.len() {
            let Some(policy) = policies.get(index) else { continue };
            let first = by_id.get(policy.id()).and_then(|first| policies.get(*first));
            if let Some(first) = first {
                let (line, _) = first.source.position(first.span.start);
                problems.push(
                    Problem::invalid(format!("two policies have the id `{}`", policy.id()))
                        .at(&policy.source, policy.span.clone())
                        .help(format!("the first stands at {}:{line}; rename one", first.source.name())),
                );
                let name = place_name(&policy.source, &policy.span);
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
