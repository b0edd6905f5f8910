//! The manifests in `k8s/`: rendered by the pinned kustomize, validated, typed, held to rules and compared with the compose files. No cluster
//! is needed.
//!
//! `scripts/kustomize.sh` says where the tools are, and installs them where they are missing: without them these tests fail.

// The script is one of a shell; the manifests are the same everywhere.
#![cfg(unix)]

mod api;
mod bed;

mod cluster;
mod ends;
mod kind;
mod network;
mod parity;
mod pods;
mod references;
mod rendering;
mod schemas;
mod typed;
