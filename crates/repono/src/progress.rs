//! How far a transfer is: a bar where standard error is a terminal, nothing
//! otherwise but the closing line.

use std::io::IsTerminal;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use repono_client::{FileEnd, Progress, Silent};

/// A bar over all bytes of a command.
struct Bar(ProgressBar);

impl Progress for Bar {
    fn expect_bytes(&self, bytes: u64) {
        self.0.inc_length(bytes);
    }

    fn moved(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn moved_back(&self, bytes: u64) {
        self.0.dec(bytes);
    }

    fn file(&self, key: &str, end: FileEnd) {
        if end == FileEnd::Failed {
            self.0.println(format!("failed: {key}"));
        } else {
            self.0.set_message(key.to_owned());
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The progress of a command, as this standard error can show it.
pub(crate) fn progress() -> Arc<dyn Progress> {
    if !std::io::stderr().is_terminal() {
        return Arc::new(Silent);
    }
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(8));
    let style = "{bytes:>10} of {total_bytes:<10} {binary_bytes_per_sec:>12} {wide_bar} {wide_msg}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    Arc::new(Bar(bar))
}
