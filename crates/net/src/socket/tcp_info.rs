//! What the kernel knows about a connection (`TCP_INFO`).

use std::io;
use std::os::fd::AsFd;

use repono_journal::TcpSummary;

use super::getsockopt;

/// Longer than the structure of any kernel so far (248 bytes in Linux 6.18).
const TCP_INFO_BYTES: usize = 256;

/// Retransmissions of the same data after which its loss is no accident: with the
/// minimum retransmission time-out of 200 ms the third is sent 1.4 s after the data.
const RETRANSMITS_DEAD: u8 = 3;

/// Milliseconds without any acknowledgement after which a peer with an open
/// window and data under way is taken for gone.
const ACK_SILENCE_DEAD_MS: u32 = 5_000;

/// A state of the TCP state machine (RFC 9293 section 3.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpState {
    /// `ESTABLISHED`
    Established,
    /// `SYN-SENT`
    SynSent,
    /// `SYN-RECEIVED`
    SynReceived,
    /// `FIN-WAIT-1`
    FinWait1,
    /// `FIN-WAIT-2`
    FinWait2,
    /// `TIME-WAIT`
    TimeWait,
    /// `CLOSED`
    Closed,
    /// `CLOSE-WAIT`: the peer has sent its FIN, this side has not.
    CloseWait,
    /// `LAST-ACK`
    LastAck,
    /// `LISTEN`
    Listen,
    /// `CLOSING`
    Closing,
    /// A number that no kernel so far has used.
    Unknown(u8),
}

impl TcpState {
    /// *Source*: the enumeration in Linux `include/net/tcp_states.h`.
    const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 | 12 => Self::SynReceived,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Closed,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            other => Self::Unknown(other),
        }
    }
}

/// A snapshot of one connection. Fields that older kernels lack are `None`.
///
/// *Source*: `struct tcp_info` in Linux `include/uapi/linux/tcp.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// The state.
    pub state: TcpState,
    /// Retransmissions of the oldest unacknowledged data since its last progress.
    pub retransmits: u8,
    /// Window probes and keepalive questions not answered.
    pub probes: u8,
    /// How often the retransmission time-out has been doubled.
    pub backoff: u8,
    /// Retransmission time-out, µs.
    pub rto_us: u32,
    /// Segments sent and not acknowledged.
    pub unacked: u32,
    /// Segments taken for lost.
    pub lost: u32,
    /// Milliseconds since data was sent.
    pub last_data_sent_ms: u32,
    /// Milliseconds since data was received.
    pub last_data_recv_ms: u32,
    /// Milliseconds since an acknowledgement was received.
    pub last_ack_recv_ms: u32,
    /// Smoothed round-trip time, µs.
    pub rtt_us: u32,
    /// Its variation, µs.
    pub rttvar_us: u32,
    /// Congestion window, segments.
    pub snd_cwnd: u32,
    /// Retransmissions in the connection's life.
    pub total_retrans: u32,
    /// Bytes acknowledged by the peer (Linux 4.1).
    pub bytes_acked: Option<u64>,
    /// Bytes received (Linux 4.1).
    pub bytes_received: Option<u64>,
    /// Bytes accepted from the program and not yet sent (Linux 4.6).
    pub notsent_bytes: Option<u32>,
    /// Smallest round-trip time seen, µs (Linux 4.6).
    pub min_rtt_us: Option<u32>,
    /// The window that the peer offers, bytes (Linux 5.4).
    pub snd_wnd: Option<u32>,
}

impl TcpInfo {
    /// What a journal keeps of it.
    #[must_use]
    pub fn summary(&self) -> TcpSummary {
        TcpSummary {
            rtt_us: self.rtt_us,
            rttvar_us: self.rttvar_us,
            retransmits: self.retransmits.into(),
            total_retrans: self.total_retrans,
            unacked: self.unacked,
            backoff: self.backoff.into(),
            last_ack_recv_ms: self.last_ack_recv_ms,
            last_data_recv_ms: self.last_data_recv_ms,
        }
    }

    /// Whether the peer has left without a word: data under way, sent again and
    /// again, into an open window, and not one acknowledgement for seconds.
    ///
    /// A peer that pauses reading closes its window and acknowledges probes; a
    /// stopped process still acknowledges by its kernel. Neither is taken for gone.
    #[must_use]
    pub fn peer_is_gone(&self) -> bool {
        self.unacked > 0
            && self.retransmits >= RETRANSMITS_DEAD
            && self.last_ack_recv_ms >= ACK_SILENCE_DEAD_MS
            && self.snd_wnd.is_some_and(|window| window > 0)
    }

    /// Reads the fields out of what the kernel filled; `None` if even the fields
    /// of the first version are not all there.
    fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            state: TcpState::from_number(*bytes.first()?),
            retransmits: *bytes.get(2)?,
            probes: *bytes.get(3)?,
            backoff: *bytes.get(4)?,
            rto_us: u32_at(bytes, 8)?,
            unacked: u32_at(bytes, 24)?,
            lost: u32_at(bytes, 32)?,
            last_data_sent_ms: u32_at(bytes, 44)?,
            last_data_recv_ms: u32_at(bytes, 52)?,
            last_ack_recv_ms: u32_at(bytes, 56)?,
            rtt_us: u32_at(bytes, 68)?,
            rttvar_us: u32_at(bytes, 72)?,
            snd_cwnd: u32_at(bytes, 80)?,
            total_retrans: u32_at(bytes, 100)?,
            bytes_acked: u64_at(bytes, 120),
            bytes_received: u64_at(bytes, 128),
            notsent_bytes: u32_at(bytes, 144),
            min_rtt_us: u32_at(bytes, 148),
            snd_wnd: u32_at(bytes, 228),
        })
    }
}

/// Asks the kernel about a connection.
///
/// *Errors*: the kernel's, for a descriptor that is no TCP socket.
/// *Cost*: one system call, about 1 µs.
pub fn tcp_info(socket: &impl AsFd) -> io::Result<TcpInfo> {
    let mut buffer = [0; TCP_INFO_BYTES];
    let filled = getsockopt::tcp_info(socket.as_fd(), &mut buffer)?;
    buffer
        .get(..filled)
        .and_then(TcpInfo::parse)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the kernel's TCP_INFO is too short"))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..offset + 4)?;
    field.try_into().ok().map(u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let field = bytes.get(offset..offset + 8)?;
    field.try_into().ok().map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::{TcpInfo, TcpState};

    const GONE: [(usize, u32); 4] = [(24, 1), (56, 5_000), (68, 200), (228, 65_536)];

    fn raw(fields: &[(usize, u32)], retransmits: u8) -> [u8; 248] {
        let mut bytes = [0; 248];
        bytes[0] = 1;
        bytes[2] = retransmits;
        for (offset, value) in fields {
            bytes[*offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        }
        bytes
    }

    #[test]
    fn a_vanished_peer_is_told_from_one_that_pauses() {
        let info = |fields: &[(usize, u32)], retransmits| {
            TcpInfo::parse(&raw(fields, retransmits)).expect("long enough")
        };
        assert!(info(&GONE, 3).peer_is_gone());
        assert!(!info(&GONE, 2).peer_is_gone(), "two retransmissions may be loss");
        for (spared, why) in
            [(0, "nothing is under way"), (1, "an ACK has just come"), (3, "the window is closed")]
        {
            let mut fields = GONE;
            fields[spared].1 = 0;
            assert!(!info(&fields, 3).peer_is_gone(), "{why}");
        }
    }

    #[test]
    fn an_old_kernel_leaves_fields_out_and_a_short_answer_is_none() {
        let bytes = raw(&GONE, 9);
        let old = TcpInfo::parse(&bytes[..104]).expect("the first version");
        assert_eq!((old.snd_wnd, old.bytes_acked), (None, None));
        assert!(!old.peer_is_gone(), "an unknown window is not taken for an open one");
        assert_eq!(TcpInfo::parse(&bytes[..103]), None);
        assert_eq!(TcpInfo::parse(&[]), None);
    }

    #[test]
    fn states_have_the_kernels_numbers() {
        assert_eq!(TcpState::from_number(1), TcpState::Established);
        assert_eq!(TcpState::from_number(8), TcpState::CloseWait);
        assert_eq!(TcpState::from_number(99), TcpState::Unknown(99));
    }
}
