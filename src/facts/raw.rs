//! Facts as they were read: texts under their names, which nothing has checked.

use super::layers::Layer;
use crate::digest::Digest;
use crate::problem::Source;

/// Entities as they were read, not yet admitted.
#[derive(Clone, Debug)]
pub struct RawFacts {
    /// Files of entities, in Cedar's entity format, and layers over them.
    pub sources: Vec<Source>,
    /// The name under which the digest lists each of them: `entities/runs.json`, `query/grants`.
    pub names: Vec<String>,
    /// What messages call the folder or database.
    pub name: String,
}

impl RawFacts {
    /// Lays more over them.
    pub fn push(&mut self, layer: &Layer) {
        self.names.push(layer.listed());
        self.sources.push(Source::new(layer.label(), layer.text()));
    }

    /// Puts more in the place of what is listed under the same name.
    pub fn replace(&mut self, layer: &Layer) {
        let listed = layer.listed();
        match self.names.iter().zip(&mut self.sources).find(|(name, _)| **name == listed) {
            Some((_, source)) => *source = Source::new(layer.label(), layer.text()),
            None => self.push(layer),
        }
    }

    /// Sha-256 over the `sha256sum` listing of the sources under their names.
    pub fn digest(&self) -> Digest {
        let digests = self.sources.iter().map(|source| Digest::of(source.text().as_bytes()));
        Digest::of_listing(self.names.iter().map(String::as_str).zip(digests))
    }
}
