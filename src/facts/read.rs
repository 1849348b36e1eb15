//! What the policies that can match a request read of the facts, each fact with its value, its source and the one it needs.

use super::{Facts, Provenance};
use crate::cedar::reads::{Base, Read};
use crate::schema::{FactSource, NeededSources, PARENTS};
use cedar_policy::{Context, EntityUid, EvalResult};
use std::collections::{BTreeMap, BTreeSet};

/// One fact that was read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FactRead {
    /// Its name: `run.facts.switch.enabled`, or an entity and the path of its attribute.
    pub fact: String,
    /// Its value in Cedar's syntax, or `absent`.
    pub value: String,
    /// What says it.
    pub by: Provenance,
    /// The source that the schema asks for, where it asks for one.
    pub needed: Option<FactSource>,
}

impl FactRead {
    /// Whether its source is good enough for an allow.
    pub fn suffices(&self) -> bool {
        self.needed.is_none_or(|needed| self.by.source.suffices_for(needed))
    }

    /// What it is and what it should be, for people.
    pub fn lack(&self) -> String {
        let needed = self.needed.unwrap_or(FactSource::Stated);
        format!("`{}` comes from {}, and must come from {}", self.fact, self.by.words(), wanted(needed))
    }
}

/// A source, and how facts come from there.
fn wanted(source: FactSource) -> &'static str {
    match source {
        FactSource::Stated => "a file",
        FactSource::Ledger => "the ledger: an earlier effect of this run brings it about",
        FactSource::Capture => "a capture that an observer signed: `--facts evidence:FILE`",
        FactSource::Observation => "an observation: `--facts postgres`",
        FactSource::Query => "a query: `--facts postgres`",
        FactSource::Bundle => "the signed bundle: a `*.json` file beside the policies",
    }
}

/// One request, as far as reading facts needs it.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The facts.
    pub facts: &'a Facts,
    /// The source that each needs.
    pub needed: &'a NeededSources,
    /// `principal`.
    pub principal: &'a EntityUid,
    /// `resource`.
    pub resource: &'a EntityUid,
    /// `context`.
    pub context: &'a Context,
    /// The entity on which the facts of the run are kept.
    pub run: Option<&'a EntityUid>,
}

/// Where a chain of attributes has come to.
enum At {
    /// A value that is no fact: the runtime's word, or the plan's.
    Plain(EvalResult),
    /// An attribute of an entity.
    Fact(EntityUid, String, Option<EvalResult>),
    /// An entity itself.
    Entity(EntityUid),
}

impl Reader<'_> {
    /// Every fact that is read, once, sorted.
    pub fn facts<'r>(&self, reads: impl IntoIterator<Item = &'r Read>) -> Vec<FactRead> {
        let mut found: BTreeSet<(EntityUid, String)> = BTreeSet::new();
        for read in reads {
            match read {
                Read::Attribute(base, path) => drop(self.walk(base, path, &mut found)),
                Read::Membership(base, path) => match self.walk(base, path, &mut found) {
                    Some(At::Entity(uid)) => self.memberships(&uid, &mut found),
                    Some(At::Fact(_, _, Some(EvalResult::EntityUid(uid)))) => self.memberships(&uid, &mut found),
                    Some(At::Plain(EvalResult::EntityUid(uid))) => self.memberships(&uid, &mut found),
                    _ => {}
                },
                Read::AnyAttribute(name) => {
                    let with = self.facts.entities().iter().filter(|entity| entity.attr(name).is_some());
                    found.extend(with.map(|entity| (entity.uid(), name.clone())));
                }
                Read::AnyMembership => {
                    let uids: Vec<EntityUid> = self.facts.entities().iter().map(|entity| entity.uid()).collect();
                    uids.iter().for_each(|uid| self.memberships(uid, &mut found));
                }
            }
        }
        found.iter().map(|(uid, path)| self.fact(uid, path)).collect()
    }

    /// Follows a chain, and notes each attribute of an entity that it comes through or ends at.
    fn walk(&self, base: &Base, path: &[String], found: &mut BTreeSet<(EntityUid, String)>) -> Option<At> {
        let (mut at, mut steps) = match base {
            Base::Principal => (At::Entity(self.principal.clone()), path),
            Base::Resource => (At::Entity(self.resource.clone()), path),
            Base::Entity(uid) => (At::Entity(uid.clone()), path),
            Base::Context => match (path, self.run) {
                // The facts of the run are kept on its own entity, and copied into the context.
                ([run, facts, rest @ ..], Some(uid)) if run == "run" && facts == "facts" => {
                    (At::Fact(uid.clone(), "facts".to_owned(), self.attribute(uid, "facts")), rest)
                }
                ([first, rest @ ..], _) => (At::Plain(self.context.get(first)?), rest),
                ([], _) => return None,
            },
        };
        while let Some((step, rest)) = steps.split_first() {
            steps = rest;
            at = match at {
                At::Entity(uid) => At::Fact(uid.clone(), step.clone(), self.attribute(&uid, step)),
                At::Plain(EvalResult::Record(record)) => At::Plain(record.get(step)?.clone()),
                At::Fact(uid, path, Some(EvalResult::Record(record))) => {
                    At::Fact(uid, format!("{path}.{step}"), record.get(step).cloned())
                }
                At::Plain(EvalResult::EntityUid(uid)) => {
                    At::Fact(uid.clone(), step.clone(), self.attribute(&uid, step))
                }
                At::Fact(from, path, Some(EvalResult::EntityUid(uid))) => {
                    found.insert((from, path));
                    At::Fact(uid.clone(), step.clone(), self.attribute(&uid, step))
                }
                At::Fact(uid, path, None) => At::Fact(uid, format!("{path}.{step}"), None),
                At::Fact(uid, path, Some(_)) => At::Fact(uid, path, None),
                At::Plain(_) => return None,
            };
        }
        if let At::Fact(uid, path, _) = &at {
            found.insert((uid.clone(), path.clone()));
        }
        Some(at)
    }

    fn attribute(&self, uid: &EntityUid, name: &str) -> Option<EvalResult> {
        self.facts.entities().get(uid)?.attr(name)?.ok()
    }

    /// What an entity is in: its own parents, and those of everything that it is in.
    fn memberships(&self, uid: &EntityUid, found: &mut BTreeSet<(EntityUid, String)>) {
        let has_parents = |name| self.facts.can_be_in(name);
        let above = self.facts.entities().ancestors(uid).into_iter().flatten();
        for uid in std::iter::once(uid).chain(above) {
            if has_parents(uid.type_name()) {
                found.insert((uid.clone(), PARENTS.to_owned()));
            }
        }
    }

    fn fact(&self, uid: &EntityUid, path: &str) -> FactRead {
        let fact = match self.run.filter(|run| *run == uid).and(path.strip_prefix("facts")) {
            Some(rest) => format!("run.facts{rest}"),
            None => format!("{uid}.{path}"),
        };
        let value = if path == PARENTS { self.parents(uid) } else { self.value(uid, path) };
        let needed = self.needed.of(&uid.type_name().to_string(), path).filter(|_| !self.facts.as_if_measured);
        let mut by = self.facts.provenance(uid, path);
        if value == ABSENT && by.source == FactSource::Stated && needed == Some(FactSource::Ledger) {
            // What effects bring about stands in the ledger; what is not there was not brought about.
            by = Provenance { source: FactSource::Ledger, name: "no effect".to_owned(), at: None, by: None };
        }
        FactRead { fact, value, by, needed }
    }

    fn parents(&self, uid: &EntityUid) -> String {
        let parents = self.facts.entities().get(uid).map(|entity| entity.clone().into_inner().2).unwrap_or_default();
        let parents: BTreeSet<String> = parents.iter().map(ToString::to_string).collect();
        format!("[{}]", parents.into_iter().collect::<Vec<_>>().join(", "))
    }

    fn value(&self, uid: &EntityUid, path: &str) -> String {
        let mut steps = path.split('.');
        let mut value = steps.next().and_then(|step| self.attribute(uid, step));
        for step in steps {
            value = match value {
                Some(EvalResult::Record(record)) => record.get(step).cloned(),
                _ => None,
            };
        }
        value.map_or_else(|| ABSENT.to_owned(), |value| value.to_string())
    }
}

/// The value of what is not there.
const ABSENT: &str = "absent";

/// Facts by their names, each once; of two that differ the later stays.
pub fn gathered<'a>(facts: impl IntoIterator<Item = &'a FactRead>) -> Vec<&'a FactRead> {
    let by_name: BTreeMap<&str, &FactRead> = facts.into_iter().map(|fact| (fact.fact.as_str(), fact)).collect();
    by_name.into_values().collect()
}
