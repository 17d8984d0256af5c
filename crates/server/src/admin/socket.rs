//! The admin socket: a Unix socket in the data folder, readable by its owner only. One line of JSON asks, one line answers.

use std::{
    fs::File,
    io,
    os::{
        fd::AsRawFd,
        unix::{ffi::OsStrExt, fs::PermissionsExt},
    },
    path::{Path, PathBuf},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::watch,
};

use super::{AdminError, AdminErrorClass, Reply, Request, execute};
use crate::{app::App, limits};

/// The longest path that every system takes as a socket's address.
const PATH_OCTETS: usize = 100;

/// The socket, removed when dropped.
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Opens it. A file that an earlier server left behind is replaced: the store's lock says that none runs.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let (short, _folder) = within_reach(path)?;
        let listener = UnixListener::bind(short)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers until the server stops.
    pub async fn serve(self, app: App, mut stop: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stop.changed() => return,
            };
            if let Ok((stream, _)) = accepted {
                let app = app.clone();
                tokio::spawn(async move {
                    // A client that went away is its own business.
                    let _ = answer(stream, app).await;
                });
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Socket addresses hold 108 octets. A longer path is reached through its open folder, which must stay open meanwhile.
fn within_reach(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok((path.to_owned(), None));
    };
    if path.as_os_str().as_bytes().len() <= PATH_OCTETS {
        return Ok((path.to_owned(), None));
    }
    let folder = File::open(folder)?;
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    Ok((short, Some(folder)))
}

async fn answer(mut stream: UnixStream, app: App) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read);
    loop {
        let mut line = String::new();
        let octets = (&mut lines).take(limits::ADMIN_REQUEST_OCTETS).read_line(&mut line).await?;
        if octets == 0 {
            return Ok(());
        }
        let reply = match serde_json::from_str::<Request>(&line) {
            Ok(request) => execute(&app, request).await,
            Err(error) => {
                Err(AdminError::new(AdminErrorClass::Refused, format!("This is no request we know: {error}")))
            }
        };
        let mut text = match reply {
            Ok(value) => serde_json::json!({ "ok": value }),
            Err(error) => serde_json::json!({ "error": error }),
        }
        .to_string();
        text.push('\n');
        write.write_all(text.as_bytes()).await?;
    }
}

/// Asks the server behind a socket.
pub async fn ask(path: &Path, request: &Request) -> Reply {
    let unreachable = |error: io::Error| {
        AdminError::new(
            AdminErrorClass::Unreachable,
            format!(
                "No server answers on {}: {error}. Start it, or name its socket with --socket.",
                path.display()
            ),
        )
    };
    let failed = |error: &dyn std::fmt::Display| AdminError::new(AdminErrorClass::Failed, error);
    let (short, _folder) = within_reach(path).map_err(unreachable)?;
    let mut stream = UnixStream::connect(short).await.map_err(unreachable)?;
    let mut line = serde_json::to_string(request).map_err(|e| failed(&e))?;
    line.push('\n');
    stream.write_all(line.as_bytes()).await.map_err(unreachable)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await.map_err(unreachable)?;
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Answer {
        Ok(serde_json::Value),
        Error(AdminError),
    }
    match serde_json::from_str(&answer) {
        Ok(Answer::Ok(value)) => Ok(value),
        Ok(Answer::Error(error)) => Err(error),
        Err(error) => Err(failed(&format!("The server's answer cannot be read: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_in_a_deep_folder_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("deep".repeat(40));
        std::fs::create_dir(&deep).unwrap();
        let path = deep.join("admin.sock");
        let socket = AdminSocket::bind(&path).unwrap();
        assert!(path.exists());
        let (short, _folder) = within_reach(&path).unwrap();
        UnixStream::connect(short).await.unwrap();
        drop(socket);
        assert!(!path.exists());
    }
}
