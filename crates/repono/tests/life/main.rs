//! How a head ends connections: never without a word, never by a reset that erases a
//! reply, and not at all while their clients may still use them.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

mod announced;
mod clock;
mod drain;
mod early;
mod frames;
mod pace;
mod peers;
mod stall;
mod stand;

/// Clocks of a minute, side by side, each on a head of its own.
#[test]
fn what_takes_minutes() {
    type Play = fn(&stand::Stand);
    let plays: [Play; 4] = [
        announced::a_crowd_sends_the_longest_quiet_away_and_tells_the_others,
        drain::a_drain_takes_the_long_quiet_first_and_the_busy_last,
        pace::streams,
        pace::slow_reader,
    ];
    let stand = &stand::Stand::new();
    std::thread::scope(|scope| {
        let playing = plays.map(|play| scope.spawn(move || play(stand)));
        for play in playing {
            play.join().expect("it says above what went wrong");
        }
    });
}
