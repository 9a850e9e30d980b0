//! The lives that are remembered: two rows, each in the order in which something was
//! told of them last.

use super::life::Life;

/// Connections of which nothing out of the ordinary is known. With those below and the
/// bounds of a life at most 64 MiB, and some 8 MiB where connections serve a few requests.
pub(super) const PLAIN_MAX: usize = 2_048;
/// Slow, failed and oddly ended ones. They are what is looked for, and at 10,000 requests/s
/// on new connections the row above is of the last half second alone. These are of a
/// quarter of an hour where one a second is slow.
pub(super) const NOTABLE_MAX: usize = 1_024;

/// In which row a life is. The only way is from the first to the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    #[default]
    Plain,
    Notable,
}

/// Lives, each in a slot that stays its own until it is forgotten.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    places: Vec<Place>,
    free: Vec<usize>,
    plain: Row,
    notable: Row,
}

#[derive(Debug, Default)]
struct Place {
    life: Life,
    standing: Standing,
    /// Its neighbours in the row.
    before: Option<usize>,
    after: Option<usize>,
}

#[derive(Debug, Default)]
struct Row {
    oldest: Option<usize>,
    newest: Option<usize>,
    count: usize,
}

impl Shelf {
    pub(super) fn life(&self, slot: usize) -> Option<&Life> {
        self.places.get(slot).map(|place| &place.life)
    }

    pub(super) fn life_mut(&mut self, slot: usize) -> Option<&mut Life> {
        self.places.get_mut(slot).map(|place| &mut place.life)
    }

    pub(super) fn standing(&self, slot: usize) -> Standing {
        self.places.get(slot).map_or(Standing::Plain, |place| place.standing)
    }

    /// What must be forgotten before the row takes another.
    pub(super) const fn surplus(&self, standing: Standing) -> Option<usize> {
        let (row, max) = match standing {
            Standing::Plain => (&self.plain, PLAIN_MAX),
            Standing::Notable => (&self.notable, NOTABLE_MAX),
        };
        if row.count >= max { row.oldest } else { None }
    }

    /// A slot for a life of which nothing is known yet.
    pub(super) fn begin(&mut self, standing: Standing) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() - 1
        });
        self.link(slot, standing);
        slot
    }

    /// Something was told of it now.
    pub(super) fn touch(&mut self, slot: usize, standing: Standing) {
        let standing = match self.standing(slot) {
            Standing::Plain => standing,
            Standing::Notable => Standing::Notable,
        };
        self.unlink(slot);
        self.link(slot, standing);
    }

    /// The slot is free again; its life must have been cleared.
    pub(super) fn end(&mut self, slot: usize) {
        self.unlink(slot);
        self.free.push(slot);
    }

    fn link(&mut self, slot: usize, standing: Standing) {
        let row = self.row(standing);
        let before = row.newest.replace(slot);
        row.oldest.get_or_insert(slot);
        row.count += 1;
        if let Some(before) = before.and_then(|before| self.places.get_mut(before)) {
            before.after = Some(slot);
        }
        if let Some(place) = self.places.get_mut(slot) {
            (place.standing, place.before, place.after) = (standing, before, None);
        }
    }

    fn unlink(&mut self, slot: usize) {
        let Some(place) = self.places.get_mut(slot) else { return };
        let (standing, before, after) = (place.standing, place.before.take(), place.after.take());
        match before.and_then(|before| self.places.get_mut(before)) {
            Some(before) => before.after = after,
            None => self.row(standing).oldest = after,
        }
        match after.and_then(|after| self.places.get_mut(after)) {
            Some(after) => after.before = before,
            None => self.row(standing).newest = before,
        }
        self.row(standing).count -= 1;
    }

    const fn row(&mut self, standing: Standing) -> &mut Row {
        match standing {
            Standing::Plain => &mut self.plain,
            Standing::Notable => &mut self.notable,
        }
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.plain.count, self.notable.count)
    }
}
