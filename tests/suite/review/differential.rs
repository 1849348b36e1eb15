//! Proof and chance agree: no random request that conforms to the schema contradicts a proved property.

use crate::review::fixture::Fixture;
use cedar_policy::{
    Authorizer, Context, Effect, Entities, EntityUid, Policy, PolicyId, PolicySet, Request, SchemaFragment,
};
use cutter::policy::annotations::Tier;
use cutter::subject::Subject;
use cutter::subject::invariant::Asked;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const REQUESTS: usize = 10_000;

#[test]
fn ten_thousand_random_requests_contradict_no_proved_property() {
    let subject = Fixture::shipped().subject().unwrap();
    let policies: Vec<Policy> = subject.bundle.policies().iter().map(|policy| policy.policy.clone()).collect();
    let invariants: Vec<Policy> = subject.invariants.iter().map(|invariant| invariant.policy.clone()).collect();
    let set = |from: &[Policy], effect: Effect| {
        let chosen = from.iter().filter(|policy| policy.effect() == effect).cloned();
        let all = Policy::parse(Some(PolicyId::new("all of it")), "permit (principal, action, resource);").unwrap();
        PolicySet::from_policies(chosen.chain((effect == Effect::Forbid).then_some(all))).unwrap()
    };
    let sets = [&policies, &invariants].map(|from| [set(from, Effect::Forbid), set(from, Effect::Permit)]);
    let mut generator = Generator::new(&subject);
    let mut matched: BTreeMap<&str, usize> = BTreeMap::new();
    for number in 0..REQUESTS {
        let (request, entities) = generator.request(&subject, number);
        let satisfied = |set: &PolicySet| -> BTreeSet<String> {
            let response = Authorizer::new().is_authorized(&request, set, &entities);
            let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
            assert!(errors.is_empty(), "never-errors is contradicted: {errors:?}");
            response.diagnostics().reason().map(ToString::to_string).filter(|id| id != "all of it").collect()
        };
        let [[bans, permits], [ceilings, floors]] = sets.each_ref().map(|pair| pair.each_ref().map(satisfied));
        let approval = |gate: &str| {
            bans.iter().any(|id| matches!(subject.bundle.tier(id), Some(Tier::Approval(named)) if named == gate))
        };
        for invariant in &subject.invariants {
            if !ceilings.contains(&invariant.id) && !floors.contains(&invariant.id) {
                continue;
            }
            *matched.entry(invariant.id.as_str()).or_default() += 1;
            for asked in &invariant.asked {
                let holds = match asked {
                    Asked::NeverByBans => !bans.is_empty(),
                    Asked::NeverByPermits => permits.is_empty(),
                    Asked::Never => !bans.is_empty() || permits.is_empty(),
                    Asked::Need(gate) => approval(gate),
                    Asked::Always => bans.is_empty() && !permits.is_empty(),
                    Asked::AlwaysByBans => bans.is_empty(),
                    Asked::Lift(gate) => !approval(gate),
                };
                assert!(holds, "`{}` ({asked:?}) is contradicted by {request} with bans {bans:?}", invariant.id);
            }
        }
    }
    let often = matched.values().filter(|count| **count >= 20).count();
    assert!(often * 10 >= subject.invariants.len() * 7, "only {often} invariants were tried often: {matched:?}");
}

/// Random requests from the schema's JSON form; values come from the literals of the policies, so that they meet.
struct Generator {
    state: u64,
    types: BTreeMap<String, Value>,
    actions: BTreeMap<String, Value>,
    entity_types: BTreeMap<String, Value>,
    strings: Vec<String>,
    ids: BTreeMap<String, Vec<String>>,
    rich: Vec<usize>,
}

impl Generator {
    fn new(subject: &Subject) -> Self {
        let text = subject.bundle.schema().merged().unwrap();
        let json = SchemaFragment::from_cedarschema_str(&text).unwrap().0.to_json_value().unwrap();
        // No name stands in both namespaces with the same meaning, so that its last part tells.
        let bodies = [&json["Cutter"], &json["Iu"]];
        let members = |key: &str| {
            bodies.into_iter().filter_map(|body| body[key].as_object()).flat_map(|members| members.clone()).collect()
        };
        let all = || {
            let shipped = subject.bundle.policies().iter().map(|policy| &policy.policy);
            shipped.chain(subject.invariants.iter().map(|invariant| &invariant.policy))
        };
        let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for uid in all().flat_map(|policy| policy.entity_literals()) {
            let known = ids.entry(uid.type_name().basename().to_owned()).or_default();
            let id = AsRef::<str>::as_ref(uid.id()).to_owned();
            if !known.contains(&id) {
                known.push(id);
            }
        }
        let strings = ["", "a", "explicit", "lifecycle_enact", "sha256", "size_bytes", "gpg_fpr", "artifact_ref"];
        Self {
            state: 0x9e37_79b9_7f4a_7c15,
            types: members("commonTypes"),
            actions: members("actions"),
            entity_types: members("entityTypes"),
            strings: strings.map(str::to_owned).to_vec(),
            ids,
            rich: (0..subject.request_types.len())
                .filter(|at| subject.matching(&subject.request_types[*at]).len() > 6)
                .collect(),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 11).unwrap() % bound
    }

    fn request(&mut self, subject: &Subject, number: usize) -> (Request, Entities) {
        let schema = subject.bundle.schema().schema();
        // Every second request is of a type that many properties speak of.
        let at = match number % 2 {
            0 => {
                let at = self.below(self.rich.len());
                self.rich[at]
            }
            _ => self.below(subject.request_types.len()),
        };
        let request_type = &subject.request_types[at];
        let action = request_type.action().clone();
        let context = self.actions[AsRef::<str>::as_ref(action.id())]["appliesTo"]["context"].clone();
        let context = self.value(&context);
        let mut seen = BTreeSet::new();
        let principal = self.uid(request_type.principal().basename());
        let resource = self.uid(request_type.resource().basename());
        uids(&context, &mut seen);
        seen.extend([principal.clone(), resource.clone()]);
        let entities: Vec<Value> = seen.iter().filter_map(|(name, id)| self.entity(name, id)).collect();
        let uid = |(name, id): &(String, String)| format!("{}::{id:?}", whole(name)).parse::<EntityUid>().unwrap();
        let context = Context::from_json_value(context, Some((schema, &action))).unwrap();
        let entities = Entities::from_json_value(json!(entities), Some(schema)).unwrap();
        (Request::new(uid(&principal), action, uid(&resource), context, Some(schema)).unwrap(), entities)
    }

    fn uid(&mut self, name: &str) -> (String, String) {
        if let Some(ids) = self.entity_types[name]["enum"].as_array().cloned() {
            return (name.to_owned(), ids[self.below(ids.len())].as_str().unwrap().to_owned());
        }
        let mut ids = self.ids.get(name).cloned().unwrap_or_default();
        ids.extend(["x".to_owned(), "y".to_owned()]);
        (name.to_owned(), ids[self.below(ids.len())].clone())
    }

    fn entity(&mut self, name: &str, id: &str) -> Option<Value> {
        let declared = self.entity_types[name].clone();
        if declared.get("enum").is_some() {
            return None;
        }
        let mut parents = Vec::new();
        for parent in declared["memberOfTypes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let parent = parent.rsplit("::").next().unwrap().to_owned();
            for other in self.ids.get(&parent).cloned().unwrap_or_default() {
                if self.below(3) == 0 && (parent.as_str(), other.as_str()) != (name, id) && name != parent {
                    parents.push(json!({ "type": whole(&parent), "id": other }));
                }
            }
            // A tree lies in one tree at most, and that is no part of another.
            if name == parent && id == "x" && self.below(2) == 0 {
                parents.push(json!({ "type": whole(&parent), "id": "/tmp" }));
            }
        }
        let attributes = match declared.get("shape") {
            Some(shape) if name != "Run" => self.value(shape),
            Some(shape) => self.value(shape),
            None => json!({}),
        };
        Some(json!({ "uid": { "type": whole(name), "id": id }, "attrs": attributes, "parents": parents }))
    }

    fn value(&mut self, shape: &Value) -> Value {
        let kind = shape["type"].as_str().unwrap_or_default();
        let name = shape["name"].as_str().unwrap_or(kind).rsplit("::").next().unwrap().to_owned();
        match kind {
            "Record" => {
                let mut record = serde_json::Map::new();
                for (key, attribute) in shape["attributes"].as_object().unwrap() {
                    if attribute["required"] != json!(false) || self.below(5) > 0 {
                        record.insert(key.clone(), self.value(attribute));
                    }
                }
                Value::Object(record)
            }
            "Set" => {
                let size = self.below(4);
                Value::Array((0..size).map(|_| self.value(&shape["element"])).collect())
            }
            _ if self.types.contains_key(&name) => {
                let shape = self.types[&name].clone();
                self.value(&shape)
            }
            _ => match name.as_str() {
                "Bool" | "Boolean" => json!(self.below(2) == 0),
                "Long" => json!([-1, 0, 1, 1, 2, 2, 3, 4, i64::MAX][self.below(9)]),
                "String" => {
                    let at = if self.below(3) == 0 { self.below(8) } else { self.below(2) };
                    json!(self.strings[at])
                }
                "datetime" => {
                    let hours = [0, 1, 2, 12, 13, 24, 25][self.below(7)];
                    json!({ "__extn": { "fn": "datetime", "arg": format!("2026-05-{:02}T{:02}:00:00.000Z", 20 + hours / 24, hours % 24) } })
                }
                _ => {
                    let (name, id) = self.uid(&name);
                    json!({ "__entity": { "type": whole(&name), "id": id } })
                }
            },
        }
    }
}

/// A type by its whole name: the prelude's, or the domain's.
fn whole(name: &str) -> String {
    let own = ["Agent", "Person", "Group", "Gate", "Mode", "Stage", "Program", "Run"].contains(&name);
    format!("{}::{name}", if own { "Cutter" } else { "Iu" })
}

/// Every entity in a value.
fn uids(value: &Value, found: &mut BTreeSet<(String, String)>) {
    if let Some(entity) = value.get("__entity") {
        let name = entity["type"].as_str().unwrap().rsplit("::").next().unwrap().to_owned();
        found.insert((name, entity["id"].as_str().unwrap().to_owned()));
    }
    match value {
        Value::Object(map) => map.values().for_each(|value| uids(value, found)),
        Value::Array(elements) => elements.iter().for_each(|value| uids(value, found)),
        _ => {}
    }
}
