//! The ids by which the parties know a connection.

use repono_core::id::ConnectionId;

/// Ids beside the balancer's: a client's, a recorder's and a head's.
const OTHERS_MAX: usize = 3;

/// Those of one connection, bounded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Names {
    pub(super) balancer: Option<ConnectionId>,
    others: [Option<ConnectionId>; OTHERS_MAX],
}

impl Names {
    pub(super) fn knows(&self, id: ConnectionId) -> bool {
        self.balancer == Some(id) || self.others.contains(&Some(id))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = ConnectionId> + use<> {
        self.balancer.into_iter().chain(self.others.into_iter().flatten())
    }

    /// Whether the balancer may know it by this id, or by none that is told.
    pub(super) fn agrees_with(&self, balancers: Option<ConnectionId>) -> bool {
        self.balancer.is_none() || balancers.is_none() || self.balancer == balancers
    }

    /// Whether both can be of one connection, and there is room for all of them.
    pub(super) fn can_join(&self, other: &Self) -> bool {
        let free = self.others.iter().filter(|id| id.is_none()).count();
        self.agrees_with(other.balancer) && other.others.iter().flatten().count() <= free
    }

    pub(super) fn add_balancers(&mut self, id: ConnectionId) -> Added {
        match self.balancer {
            None => {
                self.balancer = Some(id);
                Added::Yes
            }
            Some(_) => self.add(id),
        }
    }

    pub(super) fn add(&mut self, id: ConnectionId) -> Added {
        match self.others.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(id);
                Added::Yes
            }
            None => Added::NoRoom,
        }
    }
}

/// Whether a name has found room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    Yes,
    NoRoom,
}
