//! An external processor for Envoy that filters whole bodies: `external_processor ADDRESS FIELDS`.
//!
//! It speaks gRPC straight on h2 and filters with this project's own filter, so that neither a framework nor a parser
//! counts against it: what is left is the price of asking another process. One thread.
//!
//! Messages: `envoy.service.ext_proc.v3.ExternalProcessor`, as far as bodies in mode `BUFFERED` need them.

use std::error::Error;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use hyper::http::{HeaderMap, HeaderValue, Request, Response};
use lawflow_bench::declared;
use lawflow_core::{JsonFilter, Limits, Refusal, Selection};
use prost::{Message, Oneof};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::task::LocalSet;

type Failure = Box<dyn Error>;

#[derive(Clone, PartialEq, Message)]
struct ProcessingRequest {
    #[prost(oneof = "Part", tags = "4, 5")]
    part: Option<Part>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Part {
    #[prost(message, tag = "4")]
    RequestBody(HttpBody),
    #[prost(message, tag = "5")]
    ResponseBody(HttpBody),
}

#[derive(Clone, PartialEq, Message)]
struct HttpBody {
    #[prost(bytes = "bytes", tag = "1")]
    body: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct ProcessingResponse {
    #[prost(oneof = "Answer", tags = "3, 4")]
    answer: Option<Answer>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Answer {
    #[prost(message, tag = "3")]
    RequestBody(BodyResponse),
    #[prost(message, tag = "4")]
    ResponseBody(BodyResponse),
}

#[derive(Clone, PartialEq, Message)]
struct BodyResponse {
    #[prost(message, tag = "1")]
    response: Option<CommonResponse>,
}

#[derive(Clone, PartialEq, Message)]
struct CommonResponse {
    #[prost(message, tag = "3")]
    body_mutation: Option<BodyMutation>,
}

#[derive(Clone, PartialEq, Message)]
struct BodyMutation {
    #[prost(bytes = "bytes", tag = "1")]
    body: Bytes,
}

impl BodyResponse {
    fn of(body: Vec<u8>) -> Self {
        let mutation = BodyMutation { body: body.into() };
        Self { response: Some(CommonResponse { body_mutation: Some(mutation) }) }
    }
}

fn filter(selection: &Arc<Selection>, body: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(body.len());
    let mut filter = JsonFilter::new(Arc::clone(selection), Limits::default());
    filter.feed(body, &mut out).and_then(|()| filter.finish()).map_err(Refusal::rule)?;
    Ok(out)
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, fields] = &arguments[..] else {
        return Err("usage: external_processor ADDRESS FIELDS".into());
    };
    let selection = Arc::new(declared(fields.parse()?));
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(address, selection))
}

async fn serve(address: &str, selection: Arc<Selection>) -> Result<(), Failure> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let selection = Arc::clone(&selection);
        tokio::task::spawn_local(async move {
            // Envoy that hangs up is none of the processor's business.
            let _ = connection(stream, selection).await;
        });
    }
}

async fn connection(stream: TcpStream, selection: Arc<Selection>) -> Result<(), Failure> {
    let mut settings = h2::server::Builder::new();
    settings.initial_window_size(16 << 20).initial_connection_window_size(64 << 20);
    let mut connection = settings.handshake::<_, Bytes>(stream).await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        let selection = Arc::clone(&selection);
        tokio::task::spawn_local(async move {
            // Envoy resets a stream when it needs no more of it.
            let _ = exchange(request, respond, &selection).await;
        });
    }
    Ok(())
}

/// One HTTP exchange of Envoy, which is one gRPC stream.
async fn exchange(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    selection: &Arc<Selection>,
) -> Result<(), Failure> {
    let mut received = request.into_body();
    let head = Response::builder().header("content-type", "application/grpc").body(())?;
    let mut sending = respond.send_response(head, false)?;
    let mut pending = BytesMut::new();
    while let Some(piece) = received.data().await {
        let piece = piece?;
        received.flow_control().release_capacity(piece.len())?;
        pending.extend_from_slice(&piece);
        while let Some(message) = unframed(&mut pending) {
            if let Some(part) = ProcessingRequest::decode(message)?.part {
                let answer = match part {
                    Part::RequestBody(part) => Answer::RequestBody(BodyResponse::of(filter(selection, &part.body)?)),
                    Part::ResponseBody(part) => Answer::ResponseBody(BodyResponse::of(filter(selection, &part.body)?)),
                };
                send(&mut sending, &ProcessingResponse { answer: Some(answer) })?;
            }
        }
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    sending.send_trailers(trailers)?;
    Ok(())
}

/// The next whole message of a gRPC stream: a flag, its length in four bytes, and itself.
fn unframed(held: &mut BytesMut) -> Option<Bytes> {
    let length = u32::from_be_bytes(held.get(1..5)?.try_into().ok()?) as usize;
    if held.len() < 5 + length {
        return None;
    }
    held.advance(5);
    Some(held.split_to(length).freeze())
}

fn send(sending: &mut SendStream<Bytes>, message: &ProcessingResponse) -> Result<(), Failure> {
    let length = message.encoded_len();
    let mut framed = BytesMut::with_capacity(5 + length);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(length)?);
    message.encode(&mut framed)?;
    // h2 holds what the peer's window does not take yet.
    sending.send_data(framed.freeze(), false)?;
    Ok(())
}
