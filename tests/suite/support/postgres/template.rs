//! Data directories that have been through `initdb` and their SQL, kept between runs and copied for each server.

use std::env;
use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};

use super::installation::{Account, Installation};
use super::{INITDB, Options, Script, Server, must};

/// A stopped cluster, found by the version of PostgreSQL and the text of its scripts.
pub struct Template {
    cache: PathBuf,
    data: PathBuf,
    scripts: &'static [Script],
}

impl Template {
    pub fn of(scripts: &'static [Script]) -> Self {
        let database = scripts.last().map_or("empty", |script| script.database);
        let mut hasher = DefaultHasher::new();
        (&Installation::find().version, INITDB, scripts).hash(&mut hasher);
        let cache = Self::cache();
        Self { data: cache.join(format!("{database}-{:016x}", hasher.finish())), cache, scripts }
    }

    /// Copies the cluster, and builds it first where it is not there yet.
    pub fn copy_to(&self, data: &Path, account: Option<Account>) {
        let _lock = self.lock_shared();
        copy_tree(&self.data, data, account);
    }

    /// Below cargo's own directory for tests, apart for each user; below the system's where that one cannot be written.
    fn cache() -> PathBuf {
        let user = must(Path::new("/proc/self"), fs::metadata("/proc/self")).uid();
        let parents = option_env!("CARGO_TARGET_TMPDIR").map(PathBuf::from).into_iter().chain([env::temp_dir()]);
        let mut caches = parents.map(|parent| parent.join(format!("cutter-postgres-{user}")));
        let create = |cache: &PathBuf| DirBuilder::new().recursive(true).mode(0o700).create(cache).is_ok();
        caches.find(create).expect("no directory can be written for the templates of PostgreSQL")
    }

    /// Builds the template if it is not there. It stays for as long as the lock is held.
    fn lock_shared(&self) -> File {
        let path = self.cache.join("lock");
        let lock = must(&path, File::create(&path));
        loop {
            must(&path, lock.lock_shared());
            if self.data.is_dir() {
                return lock;
            }
            must(&path, lock.unlock());
            must(&path, lock.lock());
            if !self.data.is_dir() {
                self.build();
            }
            must(&path, lock.unlock());
        }
    }

    /// INVARIANT: runs under the exclusive lock, so that nobody reads what it removes.
    fn build(&self) {
        let options = Options { scripts: self.scripts, ..Options::empty() };
        let mut server = Server::reserve(&options);
        server.create_cluster(self.scripts);

        let family = |path: &Path| Some(path.file_name()?.to_str()?.rsplit_once('-')?.0.to_owned());
        for outdated in must(&self.cache, fs::read_dir(&self.cache)).flatten().map(|entry| entry.path()) {
            if family(&outdated).is_some_and(|name| Some(name) == family(&self.data)) {
                must(&outdated, fs::remove_dir_all(&outdated));
            }
        }
        let part = self.cache.join("part");
        let _ = fs::remove_dir_all(&part);
        copy_tree(&server.data(), &part, None);
        must(&self.data, fs::rename(&part, &self.data));
    }
}

fn copy_tree(from: &Path, to: &Path, account: Option<Account>) {
    must(to, DirBuilder::new().mode(0o700).create(to));
    for entry in must(from, fs::read_dir(from)) {
        let entry = must(from, entry);
        let target = to.join(entry.file_name());
        if must(from, entry.file_type()).is_dir() {
            copy_tree(&entry.path(), &target, account);
        } else {
            must(&target, fs::copy(entry.path(), &target));
            give(&target, account);
        }
    }
    give(to, account);
}

fn give(path: &Path, account: Option<Account>) {
    if let Some(account) = account {
        must(path, chown(path, Some(account.user), Some(account.group)));
    }
}
