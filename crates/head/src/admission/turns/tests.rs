use std::rc::Rc;
use std::time::Duration;

use tokio::task::{LocalSet, spawn_local};
use tokio::time::Instant;

use super::Turns;
use crate::admission::counts::Cause;
use crate::limits::TURN_WAIT_MAX;

fn turns(held_max: usize, waiting_max: usize) -> Rc<Turns<u8>> {
    let turns = Rc::new(Turns::new(held_max, waiting_max, None));
    spawn_local(Rc::clone(&turns).dispatch());
    turns
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_given_back_goes_to_who_waits() {
    let test = async {
        let turns = turns(2, 10);
        let first = turns.enter(1, 1).await.ok();
        assert!(first.is_some());
        let waiting = spawn_local({
            let turns = Rc::clone(&turns);
            async move { turns.enter(1, 1).await.map(drop) }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        assert_eq!(waiting.await.unwrap(), Ok(()));
        assert_eq!(turns.held(), 0);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_too_long_is_shed() {
    let test = async {
        let turns = turns(2, 10);
        let _first = turns.enter(1, 1).await.ok();
        let begun = Instant::now();
        assert_eq!(turns.enter(1, 1).await.map(drop), Err(Cause::Aged));
        assert_eq!(begun.elapsed(), TURN_WAIT_MAX);
        assert!(turns.enter(2, 1).await.is_ok(), "another party is let in meanwhile");
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn the_oldest_is_shed_for_the_newest() {
    let test = async {
        let turns = turns(2, 1);
        let first = turns.enter(1, 1).await.ok();
        let oldest = spawn_local({
            let turns = Rc::clone(&turns);
            async move { turns.enter(1, 1).await.map(drop) }
        });
        tokio::task::yield_now().await;
        let newest = spawn_local({
            let turns = Rc::clone(&turns);
            async move { turns.enter(1, 1).await.map(drop) }
        });
        assert_eq!(oldest.await.unwrap(), Err(Cause::Displaced));
        drop(first);
        assert_eq!(newest.await.unwrap(), Ok(()));
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_while_it_waits_leaks_no_place() {
    let test = async {
        let turns = turns(2, 10);
        let first = turns.enter(1, 1).await.ok();
        for _ in 0..5 {
            let waiting = tokio::time::timeout(Duration::from_millis(1), turns.enter(1, 1)).await;
            assert!(waiting.is_err());
        }
        drop(first);
        assert!(turns.enter(1, 1).await.is_ok());
        assert_eq!(turns.held(), 0);
    };
    LocalSet::new().run_until(test).await;
}

/// Two parties that both have more work than the thread can do: they get the same.
#[tokio::test(start_paused = true)]
async fn a_flood_gets_no_more_turns_than_a_trickle_of_one() {
    let test = async {
        let turns = turns(10_000, 10_000);
        let done = Rc::new(std::cell::Cell::new([0_u32; 2]));
        let work = |party: u8| {
            let (turns, done) = (Rc::clone(&turns), Rc::clone(&done));
            spawn_local(async move {
                while turns.enter(party, 1).await.is_ok() {
                    let mut counts = done.get();
                    counts[usize::from(party)] += 1;
                    done.set(counts);
                    tokio::task::yield_now().await;
                }
            })
        };
        let flood: Vec<_> = (0..500).map(|_| work(0)).collect();
        let other: Vec<_> = (0..20).map(|_| work(1)).collect();
        while done.get()[1] < 2000 {
            tokio::task::yield_now().await;
        }
        let [flood_done, other_done] = done.get();
        assert!(flood_done < other_done + other_done / 2, "{flood_done} to {other_done}");
        for task in flood.iter().chain(&other) {
            task.abort();
        }
    };
    LocalSet::new().run_until(test).await;
}
