//! Where each fact comes from: what said it, when and who, by entity and path.

use super::layers::Key;
use crate::schema::{FactSource, PARENTS};
use crate::time::Timestamp;
use cedar_policy::EntityUid;
use std::collections::BTreeMap;

/// What said a fact.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Provenance {
    /// From what kind of source.
    pub source: FactSource,
    /// Which of them: the name of a query or an observation, a file.
    pub name: String,
    /// When it was asked or looked at; a file says nothing of that.
    pub at: Option<Timestamp>,
    /// Who asked or looked.
    pub by: Option<String>,
}

impl Provenance {
    /// The name in place of a file where nobody says anything.
    pub(super) const NOBODY: &str = "nobody";

    /// A file says so, or nobody does.
    pub(super) fn stated(file: &str) -> Self {
        Self { source: FactSource::Stated, name: file.to_owned(), at: None, by: None }
    }
}

/// What is known of the facts of one entity.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Told {
    /// What said each value, by its path.
    pub values: BTreeMap<String, Provenance>,
    /// What says by its silence that there is nothing, by the path.
    pub silence: BTreeMap<String, Provenance>,
}

/// What said each fact of every entity of which something else than a file speaks.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Provenances {
    pub entities: BTreeMap<Key, Told>,
    /// What of an entity type is told by one source alone, silence included.
    pub types: BTreeMap<String, BTreeMap<String, Provenance>>,
}

impl Provenances {
    /// What said a fact, where that is no file: of several below the path the weakest, of what is not there whoever would
    /// have said it.
    pub fn of(&self, uid: &EntityUid, path: &str) -> Option<Provenance> {
        let key = (uid.type_name().to_string(), uid.id().unescaped().to_owned());
        let of_type = || self.types.get(&key.0).and_then(|silence| covering(silence, path));
        let Some(told) = self.entities.get(&key) else { return of_type().cloned() };
        let within =
            |known: &str| known.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let weakest = told.values.iter().filter(|(known, _)| within(known)).map(|(_, by)| by);
        let weakest = weakest.min_by_key(|by| by.source.strength());
        // A value may stand above the path: then it holds nothing here, and who said it says so.
        let found = weakest.or_else(|| covering(&told.silence, path)).or_else(of_type);
        found.or_else(|| covering(&told.values, path).filter(|_| path != PARENTS)).cloned()
    }
}

/// What is told of a path or of something that it lies in.
fn covering<'a>(told: &'a BTreeMap<String, Provenance>, path: &str) -> Option<&'a Provenance> {
    let mut path = path;
    loop {
        if let Some(found) = told.get(path) {
            return Some(found);
        }
        path = path.rsplit_once('.')?.0;
    }
}

impl Provenance {
    /// It in words: `the query \`grants\` of 09:00:00Z by an observer`.
    pub fn words(&self) -> String {
        let mut words = match (self.source, self.name.as_str()) {
            (FactSource::Stated, Self::NOBODY) => "nobody's word".to_owned(),
            (FactSource::Stated, file) => format!("what `{file}` states"),
            (source, name) => format!("the {source} `{name}`"),
        };
        if let Some(at) = self.at {
            words.push_str(&format!(" of {at}"));
        }
        if let Some(by) = &self.by {
            words.push_str(&format!(" by {by}"));
        }
        words
    }
}
