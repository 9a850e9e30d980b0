//! What is counted is what is open.

use std::time::Duration;

use repono_core::id::ConnectionId;
use repono_journal::{Stamp, Text};
use tokio::time::Instant;

use super::{Grid, OpenConnections, Turn, waiting};

#[test]
fn ages_idle_times_and_turns_are_counted_over_all_shelves() {
    let open = OpenConnections::default();
    let shelves = [open.shelf(), open.shelf()];
    let opened = Stamp::now();
    let mut places = Vec::new();
    for number in 0..1_200_u16 {
        let mut id = [0; 12];
        id[..2].copy_from_slice(&number.to_be_bytes());
        let shelf = &shelves[usize::from(number % 2)];
        let client = ([127, 0, 0, 1], number).into();
        places.push(shelf.place(ConnectionId::from_bytes(id), client, Text::new("head-1"), opened));
    }
    // One has moved a byte 100 s after the others, and waits for an answer.
    places[7].open().moved(Instant::now() + Duration::from_secs(100), Turn::Waiting);
    let now = opened.plus(Duration::from_secs(150));
    let grid = Grid::of(&open, Duration::from_secs(900), now);
    assert_eq!((grid.total, grid.idle_limit_ms), (1_200, 900_000));
    // Ages of 60 to 300 s; idle for 120 to 240 s, and one for 30 to 60 s.
    assert_eq!((grid.counts[3][7], grid.counts[3][5]), (1_199, 1));
    assert_eq!(grid.counts.iter().flatten().sum::<u64>(), 1_200);
    assert!((250..=500).contains(&grid.sample.len()), "{}", grid.sample.len());
    assert_eq!(waiting(&open, now).get(b"head-1".as_slice()), Some(&1));
    places[7].open().answered();
    assert_eq!(waiting(&open, now).len(), 0);
    places.truncate(3);
    assert_eq!(Grid::of(&open, Duration::ZERO, now).total, 3);
}
