//! Both ends of a measured data path: the server that answers with a body, and the load that posts the same body.
//!
//! `http serve ADDRESS` answers `/KIND/BYTES/FIELDS` with a body of that size and kind, and `/received` with the last
//! body that was posted. `http load ADDRESS METHOD PATH SECONDS CONNECTIONS [RATE]` calls such a path without a
//! pause, or at a rate a second, and prints what it saw as JSON; `POST` brings the same body along. `http pointers FIELDS` prints what is declared. One thread each.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, client, server};
use hyper_util::rt::TokioIo;
use lawflow_bench::{body, pointers};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until};

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = LocalSet::new();
    match arguments[..] {
        ["serve", address] => tasks.block_on(&runtime, serve(address)),
        ["load", address, method, path, seconds, connections, ref rate @ ..] => {
            let method = Method::from_bytes(method.as_bytes())?;
            let posted = if method == Method::POST { of_path(path, &mut HashMap::new()) } else { None };
            let seconds = Duration::from_secs_f64(seconds.parse()?);
            let rate = rate.first().map(|rate| rate.parse()).transpose()?;
            let call = Call { address: address.into(), method, path: path.into(), body: posted.unwrap_or_default() };
            tasks.block_on(&runtime, load(call, seconds, connections.parse()?, rate))
        }
        ["pointers", fields] => {
            println!("{}", serde_json::to_string(&pointers(fields.parse()?))?);
            Ok(())
        }
        _ => {
            Err("usage: http serve ADDRESS | load ADDRESS METHOD PATH SECONDS CONNECTIONS [RATE] | pointers FIELDS"
                .into())
        }
    }
}

/// What the server keeps between requests.
#[derive(Default)]
struct Kept {
    bodies: RefCell<HashMap<String, Bytes>>,
    received: RefCell<Bytes>,
}

async fn serve(address: &str) -> Result<(), Failure> {
    let listener = TcpListener::bind(address).await?;
    let kept = Rc::new(Kept::default());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let kept = Rc::clone(&kept);
        tokio::task::spawn_local(async move {
            let answering = service_fn(|request| answer(Rc::clone(&kept), request));
            // A caller that hangs up is none of the server's business.
            let _ = server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answering).await;
        });
    }
}

async fn answer(kept: Rc<Kept>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if path == "/received" {
        return Ok(Response::new(Full::new(kept.received.borrow().clone())));
    }
    let posted = request.method() == Method::POST;
    let Ok(collected) = request.into_body().collect().await else { return Ok(failed()) };
    if posted {
        kept.received.replace(collected.to_bytes());
    }
    let Some(answered) = of_path(&path, &mut kept.bodies.borrow_mut()) else { return Ok(failed()) };
    let mut response = Response::new(Full::new(answered));
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}

fn of_path(path: &str, made: &mut HashMap<String, Bytes>) -> Option<Bytes> {
    if let Some(found) = made.get(path) {
        return Some(found.clone());
    }
    let mut parts = path.rsplit('/');
    let (fields, size) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let body = Bytes::from(body(size, fields));
    made.insert(path.to_owned(), body.clone());
    Some(body)
}

fn failed() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// What the load saw.
#[derive(Default)]
struct Seen {
    /// Of each answer with status 200.
    seconds: Vec<f64>,
    failures: Vec<String>,
}

async fn load(call: Call, seconds: Duration, connections: u32, rate: Option<f64>) -> Result<(), Failure> {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let start = Instant::now();
    let pause = rate.map(|rate| Duration::from_secs_f64(f64::from(connections) / rate));
    let callers: Vec<_> = (0..connections)
        .map(|number| {
            let call = call.clone();
            // Callers start one after another, so that requests at a rate come evenly.
            let first = start + pause.unwrap_or_default() * number / connections;
            let seen = Rc::clone(&seen);
            tokio::task::spawn_local(async move {
                if let Err(failure) = call.repeat(first, pause, start + seconds, &seen).await {
                    seen.borrow_mut().failures.push(failure.to_string());
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await?;
    }
    let elapsed = start.elapsed().as_secs_f64();
    let mut seen = seen.borrow_mut();
    seen.seconds.sort_unstable_by(f64::total_cmp);
    let printed = serde_json::json!({
        "requests": seen.seconds.len(),
        "seconds": elapsed,
        "p50": at(&seen.seconds, 50) * 1e3,
        "p99": at(&seen.seconds, 99) * 1e3,
        "failures": seen.failures,
    });
    println!("{printed}");
    Ok(())
}

fn at(sorted: &[f64], percent: usize) -> f64 {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or(f64::NAN)
}

#[derive(Clone)]
struct Call {
    address: String,
    method: Method,
    path: String,
    body: Bytes,
}

impl Call {
    /// Calls over one connection until the end, at once or every `pause` from `first` on.
    async fn repeat(
        &self,
        first: Instant,
        pause: Option<Duration>,
        end: Instant,
        seen: &RefCell<Seen>,
    ) -> Result<(), Failure> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);
        let mut due = first;
        while Instant::now() < end && due < end {
            if pause.is_some() {
                sleep_until(due).await;
            }
            let sent = if pause.is_some() { due } else { Instant::now() };
            sender.ready().await?;
            let response = sender.send_request(self.request()?).await?;
            let status = response.status();
            response.into_body().collect().await?;
            if status != StatusCode::OK {
                return Err(format!("answered with {status}").into());
            }
            // From when it was due: a caller that waits for a slow answer must not hide that the next one is late.
            seen.borrow_mut().seconds.push(sent.elapsed().as_secs_f64());
            due += pause.unwrap_or_default();
        }
        Ok(())
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        Request::builder()
            .method(&self.method)
            .uri(&self.path)
            .header(HOST, "records.bench")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(self.body.clone()))
    }
}
