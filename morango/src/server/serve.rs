//! A server in one line, for programs that have none: it runs on a thread of its own until it is dropped.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use tokio::sync::oneshot;

use crate::{Error, ErrorKind, Result};

/// How long requests that are being answered may take to end once the server is to stop.
const STOPPING: Duration = Duration::from_secs(5);

/// Threads that answer requests at one time; further requests wait.
const ANSWERING_THREADS_MAX: usize = 32;

/// A running server.
///
/// ```
/// use morango::server::Server;
///
/// let server = Server::bind(axum::Router::new(), "127.0.0.1:0")?;
/// println!("peers find us at {}", server.url());
/// # Ok::<(), morango::Error>(())
/// ```
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves a router at an address; the port 0 stands for any that is free. It returns when the port is open.
    ///
    /// # Errors
    /// [`ErrorKind::Connection`] where the address cannot be listened at.
    pub fn bind(router: Router, address: impl ToSocketAddrs) -> Result<Self> {
        let failed = |error| Error::new(ErrorKind::Connection, "listen for peers").with_source(error);
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(ANSWERING_THREADS_MAX)
            .build()
            .map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("morango-server".to_owned())
            .spawn(move || {
                runtime.block_on(serve(listener, router, stopped));
                runtime.shutdown_timeout(STOPPING);
            })
            .map_err(failed)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// The address at which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for a client, for example `http://127.0.0.1:8080/`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Stops: requests that are being answered are answered, no others are taken. Dropping the server does the same.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whoever has gone already needs no telling.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn serve(listener: TcpListener, router: Router, stopped: oneshot::Receiver<()>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the server could not begin"),
    };
    let (began_stopping, stopping) = oneshot::channel();
    let until_stopped = async move {
        let _ = stopped.await;
        let _ = began_stopping.send(());
    };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let mut serving =
        std::pin::pin!(axum::serve(listener, service).with_graceful_shutdown(until_stopped).into_future());
    let patience = async {
        let _ = stopping.await;
        tokio::time::sleep(STOPPING).await;
    };
    let mut patience = std::pin::pin!(patience);
    std::future::poll_fn(|context| {
        use std::task::Poll::{Pending, Ready};
        match (serving.as_mut().poll(context), patience.as_mut().poll(context)) {
            (Pending, Pending) => Pending,
            (Ready(_), _) | (_, Ready(())) => Ready(()),
        }
    })
    .await;
}
