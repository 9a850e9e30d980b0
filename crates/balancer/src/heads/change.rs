//! Changes of the table, each of them a record in the journal.

use std::sync::Arc;

use repono_journal::Stamp;

use super::seat::Seat;
use super::{Author, Head, Heads, Table};
use crate::config::HeadAddress;
use crate::probe::Level;
use crate::standing::{Health, State};

impl Heads {
    /// Takes over another list of heads. One that stays keeps its connections and
    /// what is known of it; one that goes is drained; one that comes starts slowly,
    /// after its first passed check.
    ///
    /// *Shape*: the heads that came, for the caller to check.
    pub fn reload(&self, heads: &[HeadAddress], author: Author<'_>) -> Vec<(usize, Arc<Head>)> {
        let mut table = self.table();
        let stays = |seat: &Seat| {
            heads.iter().any(|head| head.name == seat.head.name() && head.address == seat.head.address())
        };
        if table.only.and_then(|slot| table.seat(slot)).is_some_and(|seat| !stays(seat)) {
            self.set_only(&mut table, None, author);
        }
        let (stay, go): (Vec<_>, Vec<_>) = std::mem::take(&mut table.seats).into_iter().partition(stays);
        table.seats = stay;
        for seat in go {
            self.record(author, &format!("{}.state", seat.head.name()), seat.state().as_str(), "removed");
            table.leaving.push(seat.head);
        }
        let mut came = Vec::new();
        for head in heads {
            match table.slot(&head.name) {
                Ok(slot) => self.set_weight(&mut table, slot, head.weight, author),
                Err(_) => came.extend(self.seat_newcomer(&mut table, head, author)),
            }
        }
        let place = |seat: &Seat| heads.iter().position(|head| head.name == seat.head.name());
        table.seats.sort_by_key(place);
        table.give_orders();
        came
    }

    fn seat_newcomer(
        &self,
        table: &mut Table,
        head: &HeadAddress,
        author: Author<'_>,
    ) -> Option<(usize, Arc<Head>)> {
        let slot = (0..).find(|slot| table.seat(*slot).is_none())?;
        let seat = Seat::new(slot, head, Health::NEWCOMER);
        self.record(author, &format!("{}.state", head.name), "absent", State::Down.as_str());
        let came = (slot, Arc::clone(&seat.head));
        table.seats.push(seat);
        Some(came)
    }

    pub(super) fn change(
        &self,
        table: &mut Table,
        slot: usize,
        author: Author<'_>,
        change: impl FnOnce(&mut Seat),
    ) {
        let Some(seat) = table.seat_mut(slot) else { return };
        let before = seat.state();
        change(seat);
        let after = seat.state();
        if before != after {
            let name = seat.head.name();
            let failing = seat.failing.map(Level::as_str);
            let (from, to) = (before.as_str(), after.as_str());
            tracing::info!(head = name, from, to, failing, who = author.who, "head");
            self.record(author, &format!("{name}.state"), from, to);
        }
        table.give_orders();
    }

    pub(super) fn set_weight(&self, table: &mut Table, slot: usize, weight: u32, author: Author<'_>) {
        let Some(seat) = table.seat_mut(slot) else { return };
        let before = std::mem::replace(&mut seat.weight, weight);
        if before != weight {
            let name = seat.head.name();
            tracing::info!(head = name, from = before, to = weight, "weight");
            self.record(author, &format!("{name}.weight"), &before.to_string(), &weight.to_string());
        }
    }

    pub(super) fn set_only(&self, table: &mut Table, only: Option<usize>, author: Author<'_>) {
        let name = |only: Option<usize>| match only.and_then(|slot| table.seat(slot)) {
            Some(seat) => seat.head.name().to_owned(),
            None => "off".to_owned(),
        };
        let (before, after) = (name(table.only), name(only));
        if before != after {
            tracing::info!(from = before, to = after, "all new connections go to one head");
            self.record(author, "heads.only", &before, &after);
        }
        table.only = only;
    }

    /// The author of what a reloaded configuration changes.
    #[must_use]
    pub const fn reload_author(at: Stamp) -> Author<'static> {
        Author { who: "configuration", at }
    }
}
