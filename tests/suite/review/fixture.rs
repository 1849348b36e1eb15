//! The shipped bundle in memory, ready to be corrupted.

use cutter::digest::{Digest, Listing};
use cutter::policy::{BundleSources, PolicyBundle};
use cutter::problem::{Problems, Source};
use cutter::prove::ProveOptions;
use cutter::prove::solver::SolverOptions;
use cutter::subject::Subject;
use cutter::subject::invariant;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Texts of the bundle by their path below `policies/`.
#[derive(Clone)]
pub struct Fixture {
    pub texts: Vec<(String, String)>,
}

impl Fixture {
    pub fn shipped() -> Self {
        let mut texts = Vec::new();
        for folder in ["", "invariants"] {
            for entry in std::fs::read_dir(Path::new("policies").join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|e| e == "cedar" || e == "cedarschema") {
                    let name = path.strip_prefix("policies").unwrap().display().to_string();
                    texts.push((name, std::fs::read_to_string(&path).unwrap()));
                }
            }
        }
        texts.sort();
        Self { texts }
    }

    pub fn text(&mut self, file: &str) -> &mut String {
        &mut self.texts.iter_mut().find(|(name, _)| name == file).unwrap_or_else(|| panic!("no {file}")).1
    }

    /// The bytes of one policy, from its `@id` to the semicolon that ends it.
    pub fn span(&mut self, file: &str, id: &str) -> std::ops::Range<usize> {
        let text = self.text(file);
        let start = text.find(&format!("@id(\"{id}\")")).unwrap_or_else(|| panic!("no {id} in {file}"));
        let end = text[start..].find(";\n").map_or(text.len(), |end| start + end + 2);
        start..end
    }

    pub fn drop_policy(&mut self, file: &str, id: &str) {
        let span = self.span(file, id);
        self.text(file).replace_range(span, "");
    }

    pub fn keep_invariants(&mut self, ids: &[&str]) {
        self.keep(true, ids);
    }

    pub fn keep_policies(&mut self, ids: &[&str]) {
        self.keep(false, ids);
    }

    fn keep(&mut self, invariants: bool, ids: &[&str]) {
        for (name, text) in self.texts.iter_mut().filter(|(name, _)| name.ends_with(".cedar")) {
            if name.starts_with("invariants") == invariants {
                let policies = text
                    .split_inclusive(";\n")
                    .filter(|policy| ids.iter().any(|id| policy.contains(&format!("@id(\"{id}\")"))));
                *text = policies.collect();
            }
        }
    }

    pub fn sources(&self, wanted: impl Fn(&str) -> bool) -> Vec<Source> {
        let texts = self.texts.iter().filter(|(name, _)| wanted(name));
        texts.map(|(name, text)| Source::new(format!("policies/{name}"), text.clone())).collect()
    }

    /// The policies without their schema, as if they had been written for Cedar alone.
    pub fn plain_subject(&self) -> Result<Subject, Problems> {
        let sources = BundleSources { schemas: Vec::new(), ..self.bundle_sources() };
        let mut problems = Problems::new();
        let bundle = PolicyBundle::plain(&sources, &mut problems);
        Ok(Subject::new(problems.or(bundle)?.unwrap(), Vec::new())?)
    }

    pub fn subject(&self) -> Result<Subject, Problems> {
        let bundle = PolicyBundle::parse(&self.bundle_sources())?;
        let invariants = invariant::parse(&self.sources(|name| name.starts_with("invariants")), bundle.schema())?;
        Ok(Subject::new(bundle, invariants)?)
    }

    fn bundle_sources(&self) -> BundleSources {
        BundleSources {
            schemas: self.sources(|name| name.ends_with(".cedarschema")),
            policies: self.sources(|name| name.ends_with(".cedar") && !name.starts_with("invariants")),
            signers: None,
            people: Vec::new(),
            config: None,
            listing: Listing::new([("policies", Digest::of(b""))]),
            name: "policies".to_owned(),
        }
    }
}

pub fn options(cache: &Path) -> ProveOptions {
    let program = std::env::var_os("CVC5").unwrap_or_else(|| "cvc5".into());
    ProveOptions {
        solver: SolverOptions { program, limit: Duration::from_secs(60) },
        jobs: NonZeroUsize::new(2).unwrap(),
        cache: Some(cache.to_path_buf()),
        answers: Arc::default(),
        requests: None,
        keeps_requests: false,
    }
}
