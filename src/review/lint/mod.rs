//! `review lint`: the numbered rules over the text and shape of policies. One file a rule; its doc comment is its page.

use super::Finding;
use super::rule::Rule;
use super::subject::Subject;

/// What a rule does: it pushes what it finds.
pub type Check = fn(&Subject, &mut Vec<Finding>);

/// Every rule with its check, by number.
pub static RULES: [(Rule, Check); 0] = [];
