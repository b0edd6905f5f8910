//! Builds this crate again when a file of the folders compose and k8s comes, changes or goes, since the binary carries them.

fn main() {
    println!("cargo::rerun-if-changed=../../compose");
    println!("cargo::rerun-if-changed=../../k8s");
    println!("cargo::rerun-if-changed=../../scripts/images.sh");
}
