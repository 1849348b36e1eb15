//! The trust root under attack: real keys, real `ssh-keygen`, real owners and modes, and a user without rights.
//!
//! Only root can lay out files that another user cannot change, so that these tests need root, as in a container.

mod as_root {
    mod bundle;
    mod looking;
    mod plan;
    mod root_file;
    mod standing;
}
mod scene;
