//! The terminal: what comes from it and from the monitor, and its end.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use repono_client::Client;
use tokio::sync::watch;

use super::draw;
use super::poll::{self, Told};
use super::view::{Key, Next, View};
use crate::service::shutdown_signal;

/// How soon what the monitor told is on the screen, and the age of what it did not.
const FRAME: Duration = Duration::from_millis(100);

/// Shows it until a key, a signal or the terminal's end says otherwise. The terminal is
/// put back whatever ends it, a panic too.
pub(super) fn run(client: Client, mut view: View) -> Result<ExitCode> {
    let (sender, mut told) = watch::channel(None);
    let stopped = Arc::new(AtomicBool::new(false));
    let asking = asks(client, sender, Arc::clone(&stopped));
    let mut terminal = ratatui::try_init().context("the terminal cannot be used")?;
    let shown = show(&mut terminal, &mut view, &mut told, &stopped);
    ratatui::restore();
    // Whoever asks ends when nobody listens.
    drop(told);
    let asked = asking.join().unwrap_or_else(|_| Err(anyhow::anyhow!("asking the monitor broke")));
    shown.and(asked).map(|()| ExitCode::SUCCESS)
}

/// Asks the monitor in a thread of its own, so that no answer holds up a key.
fn asks(
    client: Client,
    sender: watch::Sender<Option<Told>>,
    stopped: Arc<AtomicBool>,
) -> thread::JoinHandle<Result<()>> {
    thread::spawn(move || {
        crate::block_on(async move {
            let (nobody_listens, signalled) = (sender.clone(), shutdown_signal()?);
            tokio::select! {
                () = poll::again_and_again(&client, sender) => {}
                () = nobody_listens.closed() => {}
                () = signalled => stopped.store(true, Ordering::Relaxed),
            }
            client.close().await;
            Ok(())
        })
    })
}

fn show(
    terminal: &mut DefaultTerminal,
    view: &mut View,
    told: &mut watch::Receiver<Option<Told>>,
    stopped: &AtomicBool,
) -> Result<()> {
    while !stopped.load(Ordering::Relaxed) {
        if told.has_changed().unwrap_or(false)
            && let Some(told) = told.borrow_and_update().clone()
        {
            view.take(told, Instant::now());
        }
        terminal
            .draw(|frame| draw::frame(view, Instant::now(), frame.area(), frame.buffer_mut()))
            .context("cannot draw")?;
        if event::poll(FRAME).context("the terminal is gone")?
            && let Event::Key(key) = event::read().context("the terminal is gone")?
            && let Some(key) = meant(key)
            && view.press(key) == Next::End
        {
            break;
        }
    }
    Ok(())
}

fn meant(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Interrupt),
        KeyCode::Char(character) => Some(Key::Character(character)),
        KeyCode::Enter => Some(Key::Enter),
        KeyCode::Esc => Some(Key::Escape),
        KeyCode::Backspace => Some(Key::Backspace),
        KeyCode::Up => Some(Key::Up),
        KeyCode::Down => Some(Key::Down),
        _ => None,
    }
}
