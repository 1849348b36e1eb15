//! The files of what is reviewed, and what they are: a bundle of cutter's own, or any policies that Cedar reads.

use crate::policy::{self, BundleSources, PolicyBundle};
use crate::problem::{Problems, Source};
use crate::project::{self, Nested};
use crate::subject::Subject;
use crate::subject::invariant;
use std::path::Path;

/// The files of a folder as far as they can be read, and its invariants; what is wrong is added to `problems`.
pub fn sources(
    folder: &Path,
    config: Option<&Path>,
    plain: bool,
    problems: &mut Problems,
) -> (BundleSources, Vec<Source>) {
    let mut of_all = Problems::new();
    let all = project::read_bundle_as_far(folder, config, Nested::Read, &mut of_all);
    if is_plain(&all, plain) {
        problems.absorb::<()>(Err(of_all));
        return (all, Vec::new());
    }
    let own = project::read_bundle_as_far(folder, config, Nested::Refused, problems);
    let invariants = problems.absorb(project::read_invariants(folder)).unwrap_or_default();
    (own, invariants)
}

/// Whether the files are reviewed as any Cedar policies: it is asked for, or nothing shows that they are cutter's own.
pub fn is_plain(sources: &BundleSources, asked: bool) -> bool {
    asked || !policy::is_own(sources)
}

/// What is reviewed, as far as it can be understood.
pub fn subject(
    sources: &BundleSources,
    invariants: &[Source],
    plain: bool,
    problems: &mut Problems,
) -> Option<Subject> {
    if is_plain(sources, plain) {
        let bundle = PolicyBundle::plain(sources, problems)?;
        return problems.absorb(Subject::new(bundle, Vec::new()).map_err(Problems::from));
    }
    let bundle = problems.absorb(PolicyBundle::parse(sources))?;
    let invariants = problems.absorb(invariant::parse(invariants, bundle.schema()))?;
    problems.absorb(Subject::new(bundle, invariants).map_err(Problems::from))
}
