//! Every program of this folder, built, started and asked over HTTP as its users do.

mod frameworks;
mod program;
mod stores;
mod visitor;
