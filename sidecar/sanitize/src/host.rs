//! Envoy's side of the interface. Each header and each piece of a body lies in memory of its own, nothing lies where there
//! are no bytes, and whenever the module sets something all of it moves, since Envoy may move it then.

use std::ffi::c_void;

use crate::abi::raw::{BodyKind, Buffer, ConfigPointer, FilterPointer, HeaderKind};

type Bytes = Box<[u8]>;

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Passed,
    Refused,
    Reset,
}

/// A stream on the host's side.
pub struct Host {
    pub peer: Bytes,
    pub heads: [Vec<(Bytes, Bytes)>; 4],
    pub bodies: [Vec<Bytes>; 4],
    pub answer: Answer,
    pub filter: *mut c_void,
}

impl Host {
    pub fn new(peer: &[u8]) -> Box<Self> {
        let filter = std::ptr::null_mut();
        Box::new(Self {
            peer: peer.into(),
            heads: [const { Vec::new() }; 4],
            bodies: [const { Vec::new() }; 4],
            answer: Answer::Passed,
            filter,
        })
    }

    /// Moves everything, so that what the module may not use any more is gone.
    pub fn moved(&mut self) {
        self.heads = self.heads.clone();
        self.bodies = self.bodies.clone();
    }
}

/// A configuration of the module.
pub struct Module(*const c_void);

impl Module {
    /// `None` where the module refuses the policy.
    pub fn new(policy: &[u8]) -> Option<Self> {
        let policy: Bytes = policy.into();
        let mut metrics = 0_usize;
        // SAFETY: the pointers are valid for the call.
        let made = unsafe {
            envoy_dynamic_module_on_program_init();
            envoy_dynamic_module_on_http_filter_config_new((&raw mut metrics).cast(), buffer(b""), buffer(&policy))
        };
        (!made.is_null()).then(|| Self(made))
    }

    /// A stream under this configuration.
    pub fn filter<'m>(&'m self, host: &'m mut Box<Host>) -> Filter<'m> {
        let envoy: FilterPointer = (&raw mut **host).cast();
        // SAFETY: both outlive the filter.
        let filter = unsafe { envoy_dynamic_module_on_http_filter_new(self.0, envoy) }.cast_mut();
        host.filter = filter;
        Filter { envoy, filter, module: std::marker::PhantomData }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: it was made by `config_new`, and no filter outlives it.
        unsafe { envoy_dynamic_module_on_http_filter_config_destroy(self.0.cast_mut()) }
    }
}

/// A stream of the module. Its calls return whether the host goes on with it.
pub struct Filter<'m> {
    envoy: FilterPointer,
    filter: *mut c_void,
    module: std::marker::PhantomData<&'m Module>,
}

impl Filter<'_> {
    pub fn headers(&mut self, response: bool, headers: Vec<(Vec<u8>, Vec<u8>)>, end: bool) -> bool {
        self.set_head(if response { HeaderKind::Response } else { HeaderKind::Request }, headers);
        // SAFETY: the filter is alive.
        unsafe {
            if response {
                envoy_dynamic_module_on_http_filter_response_headers(self.envoy, self.filter, end);
            } else {
                envoy_dynamic_module_on_http_filter_request_headers(self.envoy, self.filter, end);
            }
        }
        self.answer() == Answer::Passed
    }

    pub fn body(&mut self, response: bool, pieces: &[&[u8]], end: bool) -> bool {
        let kind = if response { BodyKind::ReceivedResponse } else { BodyKind::ReceivedRequest };
        of(self.envoy).bodies[kind as usize] = pieces.iter().map(|piece| Bytes::from(*piece)).collect();
        // SAFETY: the filter is alive.
        unsafe {
            if response {
                envoy_dynamic_module_on_http_filter_response_body(self.envoy, self.filter, end);
            } else {
                envoy_dynamic_module_on_http_filter_request_body(self.envoy, self.filter, end);
            }
        }
        self.answer() == Answer::Passed
    }

    pub fn trailers(&mut self, response: bool, trailers: Vec<(Vec<u8>, Vec<u8>)>) -> bool {
        self.set_head(if response { HeaderKind::ResponseTrailer } else { HeaderKind::RequestTrailer }, trailers);
        // SAFETY: the filter is alive.
        unsafe {
            if response {
                envoy_dynamic_module_on_http_filter_response_trailers(self.envoy, self.filter);
            } else {
                envoy_dynamic_module_on_http_filter_request_trailers(self.envoy, self.filter);
            }
        }
        self.answer() == Answer::Passed
    }

    pub fn answer(&self) -> Answer {
        of(self.envoy).answer
    }

    fn set_head(&mut self, kind: HeaderKind, headers: Vec<(Vec<u8>, Vec<u8>)>) {
        of(self.envoy).heads[kind as usize] =
            headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    }
}

impl Drop for Filter<'_> {
    fn drop(&mut self) {
        // SAFETY: it was made by `filter_new`, and this is the end of it.
        unsafe {
            envoy_dynamic_module_on_http_filter_stream_complete(self.envoy, self.filter);
            envoy_dynamic_module_on_http_filter_destroy(self.filter);
        }
    }
}

pub fn of<'h>(envoy: FilterPointer) -> &'h mut Host {
    // SAFETY: every pointer that the module has of a stream is one of `Module::filter`.
    unsafe { &mut *envoy.cast::<Host>() }
}

pub fn buffer(bytes: &[u8]) -> Buffer {
    if bytes.is_empty() { Buffer::EMPTY } else { Buffer::of(bytes) }
}

/// Reads what the module hands over to the last byte.
pub fn copied(buffer: Buffer) -> Bytes {
    if buffer.length == 0 {
        return Bytes::default();
    }
    // SAFETY: so the module says; the sanitizer holds it to that.
    unsafe { std::slice::from_raw_parts(buffer.pointer, buffer.length) }.into()
}

pub fn texts(count: usize, at: impl Fn(usize) -> Buffer) {
    for number in 0..count {
        copied(at(number));
    }
}

unsafe extern "C" {
    fn envoy_dynamic_module_on_program_init() -> *const std::ffi::c_char;
    fn envoy_dynamic_module_on_http_filter_config_new(
        config: ConfigPointer,
        name: Buffer,
        policy: Buffer,
    ) -> *const c_void;
    fn envoy_dynamic_module_on_http_filter_config_destroy(config: *mut c_void);
    fn envoy_dynamic_module_on_http_filter_new(config: *const c_void, envoy: FilterPointer) -> *const c_void;
    fn envoy_dynamic_module_on_http_filter_destroy(filter: *mut c_void);
    fn envoy_dynamic_module_on_http_filter_stream_complete(envoy: FilterPointer, filter: *mut c_void);
    fn envoy_dynamic_module_on_http_filter_request_headers(e: FilterPointer, filter: *mut c_void, end: bool) -> u32;
    fn envoy_dynamic_module_on_http_filter_request_body(e: FilterPointer, filter: *mut c_void, end: bool) -> u32;
    fn envoy_dynamic_module_on_http_filter_request_trailers(e: FilterPointer, filter: *mut c_void) -> u32;
    fn envoy_dynamic_module_on_http_filter_response_headers(e: FilterPointer, filter: *mut c_void, end: bool) -> u32;
    fn envoy_dynamic_module_on_http_filter_response_body(e: FilterPointer, filter: *mut c_void, end: bool) -> u32;
    fn envoy_dynamic_module_on_http_filter_response_trailers(e: FilterPointer, filter: *mut c_void) -> u32;
    pub fn envoy_dynamic_module_on_http_filter_local_reply(
        envoy: FilterPointer,
        filter: *mut c_void,
        status: u32,
        details: Buffer,
        reset_imminent: bool,
    ) -> u32;
}
