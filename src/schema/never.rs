//! The actions of the group `never`: each is a ban by itself, and says in annotations what a report shows of it.

use super::{RunSchema, joined};
use crate::cedar::{scope, tokens};
use cedar_policy::EntityUid;
use std::collections::BTreeMap;
use std::ops::Range;

/// An action of the group `never` that can be asked for.
#[derive(Clone, Debug)]
pub struct NeverAction {
    /// The action.
    pub uid: EntityUid,
    /// Its annotations in the schema.
    pub annotations: BTreeMap<String, String>,
    /// The bytes of the schema that declare it.
    pub span: Range<usize>,
}

impl RunSchema {
    /// The actions of the group `never` that can be asked for, in the order of the text.
    pub fn never(&self) -> &[NeverAction] {
        &self.never
    }
}

/// Finds them, in the order of the text.
pub(super) fn find(schema: &RunSchema) -> Vec<NeverAction> {
    let (Some(group), Ok(entities)) = (schema.prelude_action("never"), schema.schema.action_entities()) else {
        return Vec::new();
    };
    let mut actions: Vec<NeverAction> = schema
        .contexts
        .keys()
        .filter(|uid| scope::is_in(uid, &group, &entities))
        .map(|uid| {
            let annotations =
                joined::annotations(&schema.json, uid).map(|(key, text)| (key.to_owned(), text.to_owned()));
            let span = tokens::declaration(schema.source.text(), uid.id().unescaped()).unwrap_or_default();
            NeverAction { uid: uid.clone(), annotations: annotations.collect(), span }
        })
        .collect();
    actions.sort_by_key(|action| action.span.start);
    actions
}
