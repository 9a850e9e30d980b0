//! The cases, by what they are about.

mod collecting;
mod containers;
mod identities;
mod large;
mod listings;
mod objects;
mod repeats;

use crate::fixture::Fixture;

/// Runs every case, each on a new store.
///
/// *Panics* when the store does not hold what a case says: it is for tests.
pub async fn run(make: impl Fn() -> Fixture) {
    objects::run(&make).await;
    repeats::run(&make).await;
    containers::run(&make).await;
    listings::run(&make).await;
    large::run(&make).await;
    identities::run(&make).await;
    collecting::run(&make).await;
}
