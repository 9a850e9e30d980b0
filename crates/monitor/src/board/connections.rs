//! What the journals told lately of single connections, joined by the ids under which
//! the parties know them, and where none of these is shared, by the client's address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;

use repono_core::id::ConnectionId;
use repono_journal::read::{Connection, Request, Turn};

mod life;
mod names;
mod seen;
mod shelf;
mod timeline;

pub(crate) use timeline::Timeline;

use life::{Life, Served};
use names::{Added, Names};
use seen::{Depth, Seen};
use shelf::{Shelf, Standing};

/// Records of forgotten connections whose memory is kept for new ones: those of some
/// hundred. 1.3 MiB.
const SPARE_MAX: usize = 4_096;
/// Clocks of two hosts differ by so much at most where one address is one connection. A
/// port comes back after a minute, or by chance.
const CLOCKS_NS: u64 = 2_000_000_000;

/// The recent ones.
#[derive(Debug, Default)]
pub(super) struct Connections {
    shelf: Shelf,
    names: HashMap<ConnectionId, usize>,
    addresses: HashMap<SocketAddr, usize>,
    spare: Vec<Served>,
}

/// Whether two lives are one now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Merged {
    Yes,
    NoRoom,
}

impl Connections {
    pub(super) fn request(&mut self, request: &Request<'_>) {
        let slot = self.told(&Seen::by_request(request));
        if let Some(life) = self.shelf.life_mut(slot) {
            life.request(request, &mut self.spare);
        }
    }

    pub(super) fn turn(&mut self, turn: &Turn<'_>) {
        let slot = self.told(&Seen::by_turn(turn));
        if let Some(life) = self.shelf.life_mut(slot) {
            life.turn(turn, &mut self.spare);
        }
    }

    pub(super) fn ended(&mut self, connection: &Connection<'_>) {
        let slot = self.told(&Seen::by_end(connection));
        if let Some(life) = self.shelf.life_mut(slot) {
            life.ended(connection);
        }
    }

    /// By whatever id a party knows it.
    pub(super) fn timeline(&self, id: ConnectionId) -> Option<Timeline> {
        self.shelf.life(*self.names.get(&id)?).map(|life| Timeline::of(id, life))
    }

    /// The life that a record is of.
    ///
    /// *Cost*: one look-up where the connection is known by the same ids already.
    fn told(&mut self, seen: &Seen) -> usize {
        let own = self.names.get(&seen.own).copied();
        let knows = |life: &Life| seen.balancers.is_none_or(|id| life.names.knows(id));
        let (slot, depth) = match own {
            Some(slot) if self.shelf.life(slot).is_some_and(knows) => (slot, seen.depth),
            Some(_) | None => (self.named(own, seen), Depth::Connection),
        };
        if let Some(life) = self.shelf.life_mut(slot) {
            life.lasted(seen.span_ns);
        }
        let slot = match depth {
            Depth::Request => slot,
            Depth::Connection => {
                seen.addresses.into_iter().flatten().fold(slot, |slot, address| self.met(slot, address))
            }
        };
        self.touch(slot, seen.standing);
        slot
    }

    /// The life of a connection that was not known by both ids.
    fn named(&mut self, own: Option<usize>, seen: &Seen) -> usize {
        let balancers = seen.balancers.and_then(|id| self.names.get(&id).copied());
        // Where its address has joined it with another, the balancer's id knows better.
        let agrees =
            |slot: &usize| self.shelf.life(*slot).is_some_and(|life| life.names.agrees_with(seen.balancers));
        let own = own.filter(agrees);
        let slot = match (own, balancers) {
            (Some(own), Some(balancers)) => {
                self.merge(own, balancers);
                balancers
            }
            (Some(slot), None) | (None, Some(slot)) => slot,
            (None, None) => {
                if let Some(oldest) = self.shelf.surplus(seen.standing) {
                    self.forget(oldest);
                }
                self.shelf.begin(seen.standing)
            }
        };
        if let Some(id) = seen.balancers {
            self.name(slot, id, Names::add_balancers);
        }
        self.name(slot, seen.own, Names::add);
        slot
    }

    fn name(&mut self, slot: usize, id: ConnectionId, add: impl FnOnce(&mut Names, ConnectionId) -> Added) {
        if let Entry::Vacant(free) = self.names.entry(id)
            && let Some(life) = self.shelf.life_mut(slot)
            && add(&mut life.names, id) == Added::Yes
        {
            free.insert(slot);
        }
    }

    /// A life has this address: another of the same time that has it is the same.
    fn met(&mut self, slot: usize, address: SocketAddr) -> usize {
        if let Some(other) = self.addresses.get(&address).copied()
            && other != slot
            && self.are_one(slot, other)
            && self.merge(slot, other) == Merged::Yes
        {
            return other;
        }
        self.address(slot, address);
        slot
    }

    fn address(&mut self, slot: usize, address: SocketAddr) {
        let Some(life) = self.shelf.life_mut(slot) else { return };
        if !life.addresses.contains(&Some(address)) {
            let Some(place) = life.addresses.iter_mut().find(|place| place.is_none()) else { return };
            *place = Some(address);
        }
        self.addresses.insert(address, slot);
    }

    /// Whether two lives with one address can be the same connection: at most one of them
    /// is known to the balancer, and they are of one time.
    fn are_one(&self, one: usize, other: usize) -> bool {
        let (Some(one), Some(other)) = (self.shelf.life(one), self.shelf.life(other)) else { return false };
        let (Some((from, to)), Some((other_from, other_to))) = (one.span_ns, other.span_ns) else {
            return false;
        };
        let both_named = one.names.balancer.is_some() && other.names.balancer.is_some();
        let in_time = from.max(other_from) <= to.min(other_to).saturating_add(CLOCKS_NS);
        !both_named && in_time
    }

    /// Makes two lives one, if there is room.
    fn merge(&mut self, from: usize, into: usize) -> Merged {
        let has_room = match (self.shelf.life(into), self.shelf.life(from)) {
            (Some(life), Some(other)) => from != into && life.names.can_join(&other.names),
            (None, _) | (_, None) => false,
        };
        if !has_room {
            return Merged::NoRoom;
        }
        let standing = self.shelf.standing(from);
        let other = self.shelf.life_mut(from).map(std::mem::take).unwrap_or_default();
        self.shelf.end(from);
        for id in other.names.all() {
            self.names.remove(&id);
            if other.names.balancer == Some(id) {
                self.name(into, id, Names::add_balancers);
            } else {
                self.name(into, id, Names::add);
            }
        }
        for address in other.addresses.into_iter().flatten() {
            if self.addresses.get(&address) == Some(&from) {
                self.addresses.remove(&address);
                self.address(into, address);
            }
        }
        if let Some(life) = self.shelf.life_mut(into) {
            life.absorb(other);
        }
        self.touch(into, standing);
        Merged::Yes
    }

    fn touch(&mut self, slot: usize, standing: Standing) {
        if standing == Standing::Notable
            && self.shelf.standing(slot) == Standing::Plain
            && let Some(oldest) = self.shelf.surplus(Standing::Notable)
        {
            self.forget(oldest);
        }
        self.shelf.touch(slot, standing);
    }

    fn forget(&mut self, slot: usize) {
        let Some(life) = self.shelf.life_mut(slot) else { return };
        for id in life.names.all() {
            self.names.remove(&id);
        }
        for address in life.addresses.into_iter().flatten() {
            if self.addresses.get(&address) == Some(&slot) {
                self.addresses.remove(&address);
            }
        }
        life.clear(&mut self.spare, SPARE_MAX);
        self.shelf.end(slot);
    }
}

#[cfg(test)]
mod tests;
