//! The files of a policy set that was not written for cutter, as Cedar's own tools take them: text or JSON, links of templates, and
//! schemas of either form.

use super::super::annotations::Annotations;
use super::super::{BundlePolicy, BundleSources, UnlinkedTemplate, file};
use crate::cedar::tokens::{self, Token};
use crate::cedar::{depth, diagnostics};
use crate::json;
use crate::problem::{Problem, Problems, Source};
use crate::schema::{self, RunSchema};
use cedar_policy::{Effect, EntityUid, Policy, PolicyId, PolicySet, Schema, SchemaFragment, SlotId, Template};
use serde_json::Value;
use std::collections::HashMap;
use std::ops::Range;
use std::str::FromStr as _;

/// What was read so far.
#[derive(Default)]
pub(super) struct Read {
    pub(super) policies: Vec<BundlePolicy>,
    pub(super) templates: Vec<(Template, Source, Range<usize>)>,
    /// The templates that nothing links.
    pub(super) unlinked: Vec<UnlinkedTemplate>,
    pub(super) schemas: Vec<(SchemaFragment, Source)>,
    /// The files of JSON that hold policies or templates.
    pub(super) texts: Vec<Source>,
    /// What the names of files begin with: the folder, which is no part of a policy's name.
    folder: String,
}

impl Read {
    pub(super) fn of(sources: &BundleSources, problems: &mut Problems) -> Self {
        let mut read = Self { folder: format!("{}/", sources.name.trim_end_matches('/')), ..Self::default() };
        for source in &sources.policies {
            problems.absorb(read.text(source));
        }
        for source in &sources.schemas {
            let fragment = RunSchema::fragment(source);
            read.schemas.extend(problems.absorb(fragment).map(|fragment| (fragment, source.clone())));
        }
        let mut links = Vec::new();
        // A schema in Cedar's other form beside itself is the same one.
        let is_twin = |source: &Source| {
            let name = source.name().strip_suffix(".json");
            name.is_some_and(|name| sources.schemas.iter().any(|schema| schema.name() == name))
        };
        for source in &sources.people {
            let Some(value) = problems.absorb(json::parse(source).map(|value| json::to_serde(&value))) else {
                continue;
            };
            let form = Form::of(&value);
            if matches!(form, Form::Policy | Form::Set) {
                read.texts.push(source.clone());
            }
            match form {
                Form::Schema if is_twin(source) => {}
                Form::Schema => match SchemaFragment::from_json_value(value) {
                    Ok(fragment) => read.schemas.push((fragment, source.clone())),
                    Err(error) => {
                        problems.absorb::<()>(Err(schema::of_schema(&error, "the schema cannot be read", source)));
                    }
                },
                Form::Policy => read.one(value, source, problems),
                Form::Set => read.set(value, source, problems),
                Form::Links => links.push((value, source)),
                Form::Other => {}
            }
        }
        let mut linked = Vec::new();
        for (value, source) in links {
            for link in value.as_array().into_iter().flatten() {
                match read.link(link) {
                    Ok((policy, template)) => {
                        linked.push(template);
                        read.push_named(policy, source.clone(), at_link(source, link));
                    }
                    Err(why) => problems.push(
                        Problem::invalid(format!("a template cannot be linked: {why}"))
                            .at(source, at_link(source, link)),
                    ),
                }
            }
        }
        let unlinked = read.templates.iter().filter_map(|(template, source, span)| {
            let name: &str = template.id().as_ref();
            let (name, effect, at) = (name.to_owned(), template.effect(), span.clone());
            let is_linked = linked.contains(&name);
            (!is_linked).then(|| UnlinkedTemplate { name, effect, source: source.clone(), span: at })
        });
        read.unlinked = unlinked.collect();
        read
    }

    /// The policies and templates of a text, in its order.
    fn text(&mut self, source: &Source) -> Result<(), Problems> {
        depth::check(source)?;
        let set = PolicySet::from_str(source.text()).map_err(|errors| file::unreadable(&errors, source))?;
        let mut all: Vec<(usize, String, Result<&Policy, &Template>)> = Vec::new();
        let number = |id: &PolicyId| id.to_string().strip_prefix("policy").and_then(|number| number.parse().ok());
        for policy in set.policies() {
            all.extend(number(policy.id()).map(|at| (at, policy.to_cedar().unwrap_or_default(), Ok(policy))));
        }
        for template in set.templates() {
            all.extend(number(template.id()).map(|at| (at, template.to_cedar(), Err(template))));
        }
        all.sort_by_key(|(at, ..)| *at);
        let (tokens, mut end) = (tokens::tokens(source.text()), 0);
        for (_, text, found) in all {
            let start = tokens::next(&tokens, source.text(), end, &text).unwrap_or(end);
            end = start + text.len();
            match found {
                Ok(policy) => self.push(policy.clone(), source.clone(), start..end),
                Err(template) => {
                    let name = template.annotation("id").map(str::to_owned);
                    let name = name.unwrap_or_else(|| self.place_name(source, &(start..end)));
                    let template = template.new_id(PolicyId::new(name));
                    self.templates.push((template, source.clone(), start..end));
                }
            }
        }
        Ok(())
    }

    /// A policy or template in Cedar's JSON form.
    fn one(&mut self, value: Value, source: &Source, problems: &mut Problems) {
        let (id, whole) = (PolicyId::new(self.place_name(source, &(0..0))), 0..source.text().len());
        if let Ok(template) = Template::from_json(Some(id.clone()), value.clone()) {
            let name = template.annotation("id").filter(|id| !id.is_empty()).map(PolicyId::new);
            let template = template.new_id(name.unwrap_or(id));
            return self.templates.push((template, source.clone(), whole));
        }
        match Policy::from_json(Some(id), value) {
            Ok(policy) => self.push(policy, source.clone(), whole),
            Err(error) => problems.push(diagnostics::problem(&error, "a policy cannot be read", source)),
        }
    }

    /// A policy set in Cedar's JSON form.
    fn set(&mut self, value: Value, source: &Source, problems: &mut Problems) {
        let set = match PolicySet::from_json_value(value) {
            Ok(set) => set,
            Err(error) => return problems.push(diagnostics::problem(&error, "the policies cannot be read", source)),
        };
        let mut policies: Vec<&Policy> = set.policies().collect();
        policies.sort_by_key(|policy| policy.id().to_string());
        for policy in policies {
            let at = quoted(source, policy.id().as_ref());
            match written_out(policy) {
                Some(policy) => self.push_named(policy, source.clone(), at),
                None => problems.push(Problem::invalid("a linked template cannot be written out").at(source, at)),
            }
        }
        let linked: Vec<String> = set.policies().filter_map(|policy| Some(policy.template_id()?.to_string())).collect();
        for template in set.templates().filter(|template| !linked.contains(&template.id().to_string())) {
            let at = quoted(source, template.id().as_ref());
            self.templates.push((template.clone(), source.clone(), at));
        }
    }

    /// One link of Cedar's command line: `{"template_id": ..., "link_id": ..., "args": {"?principal": ...}}`.
    fn link(&self, link: &Value) -> Result<(Policy, String), String> {
        let text = |key: &str| link.get(key).and_then(Value::as_str).ok_or_else(|| format!("it has no `{key}`"));
        let (of, id) = (text("template_id")?, text("link_id")?);
        let template = self.templates.iter().find(|(template, ..)| template.id() == &PolicyId::new(of));
        let (template, ..) = template.ok_or_else(|| format!("there is no template `{of}`"))?;
        let mut values: HashMap<SlotId, EntityUid> = HashMap::new();
        for (slot, value) in link.get("args").and_then(Value::as_object).into_iter().flatten() {
            let slot = match slot.as_str() {
                "?principal" => SlotId::principal(),
                "?resource" => SlotId::resource(),
                other => return Err(format!("there is no slot `{other}`")),
            };
            let uid = EntityUid::from_str(value.as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
            values.insert(slot, uid);
        }
        let mut set = PolicySet::new();
        set.add_template(template.clone()).map_err(|error| error.to_string())?;
        set.link(template.id().clone(), PolicyId::new(id), values).map_err(|error| error.to_string())?;
        let policy = set.policy(&PolicyId::new(id)).and_then(written_out);
        Ok((policy.ok_or("it cannot be written out")?, of.to_owned()))
    }

    /// Adds a policy under its `@id`, or else the place where it stands.
    fn push(&mut self, policy: Policy, source: Source, span: Range<usize>) {
        let id = policy.annotation("id").filter(|id| !id.is_empty()).map(str::to_owned);
        let id = id.unwrap_or_else(|| self.place_name(&source, &span));
        self.push_named(policy.new_id(PolicyId::new(id)), source, span);
    }

    /// Adds a policy under the id that it has.
    fn push_named(&mut self, policy: Policy, source: Source, span: Range<usize>) {
        let id: &str = policy.id().as_ref();
        let (id, title) = (id.to_owned(), policy.annotation("title").map(str::to_owned));
        // Annotations that mean something to cutter are read, and any others are fine.
        let gates: Vec<String> = policy.annotation("gate").map(str::to_owned).into_iter().collect();
        let read = Annotations::parse(policy.annotations(), policy.effect() == Effect::Forbid, &gates);
        let annotations = Annotations { id, title, ..read.unwrap_or_default() };
        self.policies.push(BundlePolicy { policy, annotations, source, span, is_action: false });
    }

    /// A name for what has none, wherever the folder lies: `a.cedar:3`.
    pub(super) fn place_name(&self, source: &Source, span: &Range<usize>) -> String {
        let name = source.name().strip_prefix(&self.folder).unwrap_or(source.name());
        format!("{name}:{}", source.position(span.start).0)
    }

    /// The schema that all files together declare; `None` where there is none that is valid.
    pub(super) fn schema(&self, problems: &mut Problems) -> Option<RunSchema> {
        let (_, first) = self.schemas.first()?;
        let parts: Vec<Value> =
            self.schemas.iter().filter_map(|(fragment, _)| fragment.clone().to_json_value().ok()).collect();
        problems.absorb(schema::check_size(&schema::join(parts.clone()), first).map_err(Problems::from))?;
        let mut whole = serde_json::Map::new();
        parts.into_iter().filter_map(|part| part.as_object().cloned()).for_each(|namespaces| whole.extend(namespaces));
        match Schema::from_schema_fragments(self.schemas.iter().map(|(fragment, _)| fragment.clone())) {
            Ok(schema) => Some(RunSchema::plain(schema, Value::Object(whole), first.clone())),
            Err(error) => {
                problems.absorb::<()>(Err(schema::of_schema(&error, "the schema is not valid", first)));
                None
            }
        }
    }
}

/// What a file of JSON holds.
enum Form {
    Schema,
    Policy,
    Set,
    Links,
    Other,
}

impl Form {
    fn of(value: &Value) -> Self {
        let has = |value: &Value, key: &str| value.get(key).is_some();
        match value {
            Value::Object(_) if has(value, "effect") && has(value, "principal") => Self::Policy,
            Value::Object(_) if has(value, "staticPolicies") || has(value, "templateLinks") => Self::Set,
            Value::Object(map)
                if !map.is_empty() && map.values().all(|body| has(body, "entityTypes") || has(body, "actions")) =>
            {
                Self::Schema
            }
            Value::Array(links) if !links.is_empty() && links.iter().all(|link| has(link, "template_id")) => {
                Self::Links
            }
            _ => Self::Other,
        }
    }
}

/// What a file of JSON in a bundle of cutter's own holds that is not read there, and what to do.
pub(in super::super) fn refused(source: &Source) -> Option<Problem> {
    let value = json::parse(source).map(|value| json::to_serde(&value)).ok()?;
    let (what, help) = match Form::of(&value) {
        Form::Other => return None,
        Form::Schema => ("a schema in JSON form", "run `cedar translate-schema --direction json-to-cedar` on it"),
        Form::Policy | Form::Set => {
            ("policies in JSON form", "run `cedar translate-policy --direction json-to-cedar` on it")
        }
        Form::Links => ("links of templates", "write each policy out"),
    };
    let message = format!("`{}` holds {what}, which a bundle that cutter decides by does not take", source.name());
    Some(Problem::invalid(message).at(source, 0..1).help(help))
}

/// The files of JSON that hold policies in a form of some other tool, which is not read.
pub fn unread(sources: &BundleSources) -> Vec<&Source> {
    let is_unread = |source: &&Source| {
        let value = json::parse(source).map(|value| json::to_serde(&value));
        value.is_ok_and(|value| matches!(Form::of(&value), Form::Other) && holds_policy(&value))
    };
    sources.people.iter().filter(is_unread).collect()
}

/// Whether a policy stands anywhere in a value: in Cedar's JSON form, or as a text.
fn holds_policy(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            let is_policy = map.contains_key("principal") && map.get("effect").is_some_and(Value::is_string);
            is_policy || map.values().any(holds_policy)
        }
        Value::Array(elements) => elements.iter().any(holds_policy),
        Value::String(text) => {
            let begins = |words: &[Token]| {
                let words: Vec<&str> = words.iter().map(|word| word.of(text)).collect();
                matches!(words.as_slice(), ["permit" | "forbid", "(", "principal"])
            };
            tokens::tokens(text).windows(3).any(begins)
        }
        _ => false,
    }
}

/// Whether a file of JSON holds what a bundle of cutter's own takes, or refuses, where it looks: entities, policies, schemas.
pub fn is_of_bundle(source: &Source) -> bool {
    let entities = |value: &Value| {
        value.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(|entity| entity.get("uid").is_some()))
    };
    let value = json::parse(source).map(|value| json::to_serde(&value));
    value.is_ok_and(|value| entities(&value) || !matches!(Form::of(&value), Form::Other) || holds_policy(&value))
}

/// Whether a file holds a schema in JSON form.
pub(in super::super) fn is_schema(source: &Source) -> bool {
    json::parse(source).is_ok_and(|value| matches!(Form::of(&json::to_serde(&value)), Form::Schema))
}

/// The policy with its slots filled in, as if it had been written so.
fn written_out(policy: &Policy) -> Option<Policy> {
    match policy.template_id() {
        None => Some(policy.clone()),
        Some(_) => Policy::from_json(Some(policy.id().clone()), policy.to_json().ok()?).ok(),
    }
}

fn at_link(source: &Source, link: &Value) -> Range<usize> {
    quoted(source, link.get("link_id").and_then(Value::as_str).unwrap_or_default())
}

/// Where a name stands in a file of JSON; the file's first byte, where it cannot be found.
fn quoted(source: &Source, name: &str) -> Range<usize> {
    let name = format!("{name:?}");
    source.text().find(&name).map_or(0..1, |start| start..start + name.len())
}
