//! What each effect of `cutter.toml` is pinned by, a line a pin, so that one that changes is seen where no decision changes with it.

use crate::settings::Config;
use crate::settings::effects::{Effect, OnOff, Pin};
use serde_json::Value;

/// A line for each pin, in the order of the effects.
pub fn pinned(config: &Config) -> Vec<String> {
    let line = |(name, effect): (&String, &Effect)| -> Vec<String> {
        pins(effect, config).into_iter().map(|pin| format!("{name}: {pin}")).collect()
    };
    config.effects.iter().flat_map(line).collect()
}

fn pins(effect: &Effect, config: &Config) -> Vec<String> {
    let mut pins = Vec::new();
    if let Some(program) = effect.argv.first() {
        pins.push(match (effect.pin, effect.sha256) {
            (Some(Pin::RootOwned), _) => format!("program {program}, root-owned"),
            (Some(Pin::Sha256), Some(digest)) => format!("program {program}, sha256 {digest}"),
            _ => format!("program {program}, not pinned"),
        });
    }
    pins.extend(effect.interpreter_sha256.map(|digest| format!("interpreter, sha256 {digest}")));
    if let Some(flag) = &effect.flag {
        let settings = config.evidence.flags.get(&flag.name);
        let value = settings.and_then(|flag_settings| flag_settings.value(flag.to)).unwrap_or_default();
        let to = if flag.to == OnOff::On { "on" } else { "off" };
        let file = settings.and_then(|settings| settings.file.as_ref()).map(|file| format!(" in {}", file.display()));
        let role = flag.role.as_ref().map(|role| format!(" as {role}"));
        let set = settings.and_then(|settings| settings.set.as_ref()).map(|set| format!(" by {}", one_line(set)));
        let how: String = [file, role, set].into_iter().flatten().collect();
        pins.push(format!("flag {} {to}, written {}{how}", flag.name, Value::from(value)));
    }
    if let Some(sql) = &effect.sql {
        let then = if sql.rolls_back { " and rolled back" } else { "" };
        pins.push(format!("function {} of {}, called by {}{then}", sql.function, sql.owner, sql.role));
        pins.push(format!("definition, sha256 {}", sql.definition_sha256));
        for (relation, triggers) in &sql.triggers {
            pins.extend(triggers.is_empty().then(|| format!("no trigger of {relation}")));
            pins.extend(triggers.iter().map(|(name, digest)| format!("trigger {name} of {relation}, sha256 {digest}")));
        }
        pins.extend(sql.each.as_ref().map(|each| format!("rows of {}, sha256 as {}", each.file, each.sha256_fact)));
    }
    if let Some(builtin) = effect.builtin {
        let folder = effect.folder.as_ref().map(|folder| format!(" into {folder}")).unwrap_or_default();
        pins.push(format!("cutter's own {}{folder}", builtin.name()));
    }
    pins
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
