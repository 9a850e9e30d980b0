//! The administrators' socket: made whole with mode 0600, and who is at its other
//! end.

use std::convert::Infallible;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use repono_net::drain::{DrainSignal, Until};
use rustix::process::geteuid;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use crate::limits::{ADMIN_CONNECTIONS_MAX, HEAD_MAX};
use crate::office::Who;

/// A listening socket; its file goes with it.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
    inode: (u64, u64),
}

impl AdminSocket {
    /// Opens the socket. It is made within a folder of our own and then moved to
    /// its place, so that nobody finds it there before its mode is set; what was
    /// in its place goes away.
    ///
    /// *Errors*: the kernel's.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        let folder = folder_beside(path)?;
        let listener = (|| {
            let new = folder.join("s");
            let listener = UnixListener::bind(&new)?;
            fs::set_permissions(&new, Permissions::from_mode(0o600))?;
            fs::rename(&new, path)?;
            Ok::<_, io::Error>(listener)
        })();
        // Also where the socket could not be made: the folder holds nothing else.
        let _ = fs::remove_file(folder.join("s"));
        fs::remove_dir(&folder)?;
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { listener: listener?, path: path.to_owned(), inode: (metadata.dev(), metadata.ino()) })
    }

    /// Serves administrators until the service drains; requests under way are
    /// answered.
    pub(crate) async fn serve(self, routes: Router, mut signal: DrainSignal) {
        let mut connections = JoinSet::new();
        let mut stop = signal.clone();
        loop {
            tokio::select! {
                () = stop.reached(Until::Draining) => break,
                accepted = self.listener.accept(), if connections.len() < ADMIN_CONNECTIONS_MAX => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(converse(stream, routes.clone(), signal.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "no administrators are accepted for now");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        tokio::select! {
            () = signal.reached(Until::Closing) => {}
            _ = async { while connections.join_next().await.is_some() {} } => {}
        }
    }
}

/// Between two tries to accept while descriptors are short.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.inode);
        if ours {
            // A file that stays behind is replaced by the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A new folder that only its owner can enter. The name is short: the path of a
/// socket has 107 bytes at most (unix(7)).
fn folder_beside(path: &Path) -> io::Result<PathBuf> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = parent.join(format!(".{:x}", std::process::id()));
    match fs::remove_file(folder.join("s")) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(error);
        }
        Ok(()) | Err(_) => {}
    }
    match DirBuilder::new().mode(0o700).create(&folder) {
        // Left behind by a process with our number that was killed.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_dir(&folder)?;
            DirBuilder::new().mode(0o700).create(&folder)?;
        }
        made => made?,
    }
    Ok(folder)
}

/// Who may administer: root, and the user that the service runs as. The mode of
/// the socket says the same; this holds where someone changed it.
fn admitted(stream: &UnixStream) -> Option<Who> {
    let uid = stream.peer_cred().ok()?.uid();
    (uid == 0 || uid == geteuid().as_raw()).then_some(Who::Uid(uid))
}

async fn converse(stream: UnixStream, routes: Router, mut signal: DrainSignal) {
    let Some(who) = admitted(&stream) else {
        tracing::warn!("a connection to the admin socket was closed: its user may not administer");
        return;
    };
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(who);
        let answer = routes.call(request);
        async move { answer.await as Result<Response<Body>, Infallible> }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = &mut connection => report(ended),
        () = signal.reached(Until::Draining) => {
            connection.as_mut().graceful_shutdown();
            report(connection.await);
        }
    }
}

fn report(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "an administrator's connection broke");
    }
}
