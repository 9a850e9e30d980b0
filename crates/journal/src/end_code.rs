//! Two letters that say how a relayed connection ended, as HAProxy's users know
//! them (its "session state at disconnection").

/// The first letter: who or what ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndCause {
    /// `-`: both sides closed in order.
    Normal,
    /// `C`: the client reset it.
    Client,
    /// `S`: the server reset it, refused it, or left without close_notify.
    Server,
    /// `c`: the client was silent for too long, or acknowledged nothing.
    ClientTimeout,
    /// `s`: the same of the server.
    ServerTimeout,
    /// `P`: the balancer turned it away at a limit.
    Proxy,
    /// `D`: the server was found to be down.
    Down,
    /// `K`: an order ended it: a drain, or the end of the balancer.
    Killed,
}

/// The second letter: what it was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndPhase {
    /// `-`: it was over.
    Over,
    /// `C`: it was being connected to a server.
    Connect,
    /// `D`: both directions were open.
    Data,
    /// `L`: one side had sent FIN, the last bytes of the other were awaited.
    Last,
}

/// Both letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EndCode {
    /// Who or what.
    pub cause: EndCause,
    /// While doing what.
    pub phase: EndPhase,
}

impl EndCode {
    /// Both sides closed in order.
    pub const NORMAL: Self = Self { cause: EndCause::Normal, phase: EndPhase::Over };

    /// The letters.
    #[must_use]
    pub const fn letters(self) -> [u8; 2] {
        let cause = match self.cause {
            EndCause::Normal => b'-',
            EndCause::Client => b'C',
            EndCause::Server => b'S',
            EndCause::ClientTimeout => b'c',
            EndCause::ServerTimeout => b's',
            EndCause::Proxy => b'P',
            EndCause::Down => b'D',
            EndCause::Killed => b'K',
        };
        let phase = match self.phase {
            EndPhase::Over => b'-',
            EndPhase::Connect => b'C',
            EndPhase::Data => b'D',
            EndPhase::Last => b'L',
        };
        [cause, phase]
    }
}
