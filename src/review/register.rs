//! What policies, invariants and effects are besides what is decided: lines that are committed with the table of decisions, so that
//! a tier, a gate, evidence or a pin that changes is seen where no decision changes with it.

use crate::policy::BundlePolicy;
use crate::policy::annotations::Tier;
use crate::review::pinned::pinned;
use crate::settings::Config;
use crate::subject::Subject;
use cedar_policy::Effect;

/// The sections, each with its lines in the order of the ids; effects where there are any.
pub fn register(subject: &Subject, config: Option<&Config>) -> Vec<(&'static str, Vec<String>)> {
    let mut policies: Vec<String> = subject.bundle.own().iter().map(policy).collect();
    let mut invariants: Vec<String> = Vec::new();
    for invariant in subject.invariants.iter().filter(|invariant| !invariant.is_promise) {
        let asked: Vec<String> =
            invariant.asked.iter().map(|asked| format!("{} of {}", asked.kind(), asked.of())).collect();
        invariants.push(format!("{}: {}", invariant.id, asked.join(", ")));
    }
    policies.sort();
    invariants.sort();
    let mut sections = vec![("policies", policies), ("invariants", invariants)];
    sections.extend(config.map(|config| ("effects", pinned(config))).filter(|(_, lines)| !lines.is_empty()));
    sections
}

fn policy(policy: &BundlePolicy) -> String {
    let annotations = &policy.annotations;
    let effect = match policy.policy.effect() {
        Effect::Forbid => "forbid",
        Effect::Permit => "permit",
    };
    let mut said = vec![effect.to_owned()];
    said.extend(annotations.tier.as_ref().map(|tier| match tier {
        Tier::Absolute => "absolute".to_owned(),
        Tier::Approval(gate) => format!("approval {gate}"),
        Tier::Precondition(gap) => format!("precondition {gap}"),
        Tier::Gate(code) => format!("gate {}", code.name()),
    }));
    said.extend(annotations.severity.clone());
    if !annotations.evidence.is_empty() {
        said.push(format!("evidence {}", annotations.evidence.join(" ")));
    }
    said.extend(annotations.presupposes.as_ref().map(|ban| format!("presupposes {ban}")));
    format!("{}: {}", policy.id(), said.join(", "))
}
