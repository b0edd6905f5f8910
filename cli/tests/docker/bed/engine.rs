//! A Docker engine that can go away: a socket in front of the real one, which is cut.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Where the engine listens unless `DOCKER_HOST` says otherwise.
const SOCKET: &str = "/var/run/docker.sock";

/// A socket that passes everything on to the engine of this machine, until it is cut.
pub(crate) struct Proxy {
    path: PathBuf,
    cut: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<UnixStream>>>,
}

impl Proxy {
    /// Listens on a new socket in a folder.
    pub(crate) fn start(folder: &Path) -> Self {
        let path = folder.join("engine.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let proxy = Self {
            path,
            cut: Arc::default(),
            streams: Arc::default(),
        };
        let (cut, streams) = (Arc::clone(&proxy.cut), Arc::clone(&proxy.streams));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if cut.load(Ordering::SeqCst) {
                    return;
                }
                pass_on(client, &streams);
            }
        });
        proxy
    }

    /// What `DOCKER_HOST` has to be.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// Ends every connection and listens no more, as an engine that is stopped.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        for stream in self.streams.lock().unwrap().drain(..) {
            // One that the other side has closed already is cut as well.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the listener, which then ends.
        let _ = UnixStream::connect(&self.path);
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
    }
}

fn real() -> io::Result<UnixStream> {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    UnixStream::connect(host.strip_prefix("unix://").unwrap_or(SOCKET))
}

fn pass_on(client: UnixStream, streams: &Mutex<Vec<UnixStream>>) {
    let Ok(server) = real() else { return };
    let both = || Ok::<_, io::Error>((client.try_clone()?, server.try_clone()?));
    let (Ok((from_client, to_server)), Ok((to_client, from_server))) = (both(), both()) else {
        return;
    };
    streams.lock().unwrap().extend([client, server]);
    std::thread::spawn(move || copy(from_client, to_server));
    std::thread::spawn(move || copy(from_server, to_client));
}

fn copy(mut from: UnixStream, mut to: UnixStream) {
    // Either end may go at any moment; that is what this is for.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
