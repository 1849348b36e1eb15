//! The files of what is reviewed, and what they are: a bundle of cutter's own, or any policies that Cedar reads.

use crate::files::Standing;
use crate::findings::rule::Severity;
use crate::findings::{Finding, Place, Review, rules};
use crate::policy::{self, BundleSources, PolicyBundle};
use crate::problem::{Blame, Code, Problems, Source};
use crate::project::{self, INVARIANTS, Nested};
use crate::review::validate;
use crate::subject::Subject;
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
    // A link, or what is no file, was found among the files of the bundle; so was what of the invariants cannot be opened.
    if !matches!(Standing::at(&folder.join(INVARIANTS)), Standing::File | Standing::Folder) {
        return (own, Vec::new());
    }
    let (invariants, mut of_invariants) = project::read_invariants_as_far(folder);
    of_invariants.retain(|problem| !problems.iter().any(|known| known == problem));
    problems.absorb::<()>(Err(of_invariants));
    (own, invariants)
}

/// Adds what is wrong with inputs to what was found of the others.
pub fn add(problems: &Problems, review: &mut Review) {
    review.more += problems.count() - problems.iter().len();
    match review.parts.iter_mut().find(|part| part.name == "validate") {
        Some(part) => part.findings.extend(problems.iter().map(validate::finding)),
        None => review.parts.push(validate::validate(&[], &[], problems)),
    }
}

/// Whether it is an input that is not right, or that stands in its place and cannot be read: that is a finding.
pub fn is_of_inputs(problems: &Problems) -> bool {
    problems.iter().all(|problem| {
        problem.fault == Blame::Invalid || matches!(problem.code(), Code::FileUnreadable | Code::FolderUnreadable)
    })
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
    problems.absorb(Subject::of_bundle(bundle, invariants.to_vec()))
}

/// What holds policies, or what looks like them, and is not read where a folder is reviewed as any policies.
pub fn passed_over(folder: &Path, sources: &BundleSources) -> Vec<Finding> {
    let not_read = |name: &str, message: &str, help: &str| {
        let mut finding = Finding::new(&rules::NOT_REVIEWED, name, message).help(help);
        finding.severity = Severity::Warning;
        finding
    };
    let folders = project::passed_over(folder).into_iter().map(|path| {
        let message = "the folder holds files that are called as policies are, and is not read";
        not_read(&path.display().to_string(), message, "review it by itself with --policies, or let git ignore it")
    });
    let forms = policy::unread(sources).into_iter().map(|source| {
        let message = "it holds policies in a form that Cedar's own tools do not read";
        let help = "write them as Cedar text, or as a policy set in Cedar's JSON form";
        not_read(source.name(), message, help).at(Place::new(source, 0..0))
    });
    let properties = project::read_invariants(folder).unwrap_or_default();
    let properties = properties.iter().filter(|source| policy::is_property(source)).map(|source| {
        let message = "it holds properties for policies that `cutter` decides by, which are not asked of any others";
        not_read(source.name(), message, "move it away, or leave out --plain").at(Place::new(source, 0..0))
    });
    folders.chain(forms).chain(properties).collect()
}
