//! One HTTP stream of Envoy, safely: what a hook may ask it and tell it.

use std::marker::PhantomData;

use super::raw::{self, BodyKind, Buffer, ConfigPointer, FilterPointer, Header, HeaderKind};

/// A stream, for as long as one hook runs.
pub struct Stream<'h> {
    filter: FilterPointer,
    hook: PhantomData<&'h ()>,
}

/// A metric that was defined with a configuration.
#[derive(Clone, Copy, Debug)]
pub struct Metric(usize);

impl Stream<'_> {
    /// # Safety
    ///
    /// `filter` is the pointer that Envoy called the hook with, and the hook outlives the stream.
    pub unsafe fn new(filter: FilterPointer) -> Self {
        Self { filter, hook: PhantomData }
    }

    /// All headers as names and values.
    pub fn headers(&self, kind: HeaderKind) -> Vec<(&[u8], &[u8])> {
        // SAFETY: the filter is alive.
        let count = unsafe { raw::envoy_dynamic_module_callback_http_get_headers_size(self.filter, kind) };
        let mut found = vec![Header { name: Buffer::EMPTY, value: Buffer::EMPTY }; count];
        // SAFETY: there is room for as many headers as Envoy has just said there are.
        let filled =
            unsafe { raw::envoy_dynamic_module_callback_http_get_headers(self.filter, kind, found.as_mut_ptr()) };
        if !filled {
            return Vec::new();
        }
        found.into_iter().map(|header| (self.bytes(header.name), self.bytes(header.value))).collect()
    }

    /// Sets a header to one value.
    pub fn set_header(&mut self, kind: HeaderKind, name: &[u8], value: &[u8]) {
        self.change_header(kind, name, Buffer::of(value));
    }

    /// Adds a value to a header, which may have none yet.
    pub fn add_header(&mut self, kind: HeaderKind, name: &[u8], value: &[u8]) {
        // SAFETY: Envoy copies name and value.
        unsafe {
            raw::envoy_dynamic_module_callback_http_add_header(self.filter, kind, Buffer::of(name), Buffer::of(value));
        }
    }

    /// Removes a header, with all its values.
    pub fn remove_header(&mut self, kind: HeaderKind, name: &[u8]) {
        self.change_header(kind, name, Buffer::EMPTY);
    }

    fn change_header(&mut self, kind: HeaderKind, name: &[u8], value: Buffer) {
        // SAFETY: Envoy copies name and value; a null value removes the header.
        unsafe {
            raw::envoy_dynamic_module_callback_http_set_header(self.filter, kind, Buffer::of(name), value);
        }
    }

    /// The SPIFFE id in the certificate of the peer.
    pub fn peer(&self) -> Option<&str> {
        let mut value = Buffer::EMPTY;
        // SAFETY: the pointers are valid for the call.
        let found = unsafe {
            raw::envoy_dynamic_module_callback_http_filter_get_attribute_string(
                self.filter,
                raw::PEER_URI_SAN,
                &raw mut value,
            )
        };
        if found { std::str::from_utf8(self.bytes(value)).ok() } else { None }
    }

    /// The pieces of a body.
    pub fn chunks(&self, kind: BodyKind) -> Vec<&[u8]> {
        // SAFETY: the filter is alive.
        let count = unsafe { raw::envoy_dynamic_module_callback_http_get_body_chunks_size(self.filter, kind) };
        let mut found = vec![Buffer::EMPTY; count];
        // SAFETY: there is room for as many pieces as Envoy has just said there are.
        let filled =
            unsafe { raw::envoy_dynamic_module_callback_http_get_body_chunks(self.filter, kind, found.as_mut_ptr()) };
        if filled { found.into_iter().map(|chunk| self.bytes(chunk)).collect() } else { Vec::new() }
    }

    /// Puts other bytes in the place of the first `length` of a body. Returns whether there was such a body.
    pub fn replace(&mut self, kind: BodyKind, length: usize, with: &[u8]) -> bool {
        // SAFETY: the filter is alive; Envoy copies what is appended.
        unsafe {
            (length == 0 || raw::envoy_dynamic_module_callback_http_drain_body(self.filter, kind, length))
                && (with.is_empty()
                    || raw::envoy_dynamic_module_callback_http_append_body(self.filter, kind, Buffer::of(with)))
        }
    }

    /// Answers the request in the place of whoever would have.
    pub fn respond(&mut self, status: u16, headers: &[(&str, &str)], body: &[u8], details: &str) {
        let headers: Vec<Header> = headers
            .iter()
            .map(|(name, value)| Header { name: Buffer::of(name.as_bytes()), value: Buffer::of(value.as_bytes()) })
            .collect();
        // SAFETY: Envoy copies headers, body and details.
        unsafe {
            raw::envoy_dynamic_module_callback_http_send_response(
                self.filter,
                status.into(),
                headers.as_ptr(),
                headers.len(),
                Buffer::of(body),
                Buffer::of(details.as_bytes()),
            );
        }
    }

    /// Breaks the stream off: both sides see that it did not end well.
    pub fn reset(&mut self, details: &str) {
        // SAFETY: Envoy copies the details.
        unsafe {
            raw::envoy_dynamic_module_callback_http_filter_reset_stream(
                self.filter,
                raw::LOCAL_RESET,
                Buffer::of(details.as_bytes()),
            );
        }
    }

    /// Notes a text for access logs and answers, in the namespace `lawflow`.
    pub fn note(&mut self, key: &str, value: &str) {
        // SAFETY: Envoy copies all three.
        unsafe {
            raw::envoy_dynamic_module_callback_http_set_dynamic_metadata_string(
                self.filter,
                Buffer::of(b"lawflow"),
                Buffer::of(key.as_bytes()),
                Buffer::of(value.as_bytes()),
            );
        }
    }

    /// Adds to a counter without labels.
    pub fn count(&mut self, counter: Metric, value: u64) {
        // SAFETY: the counter was defined without labels, so that none are read.
        unsafe {
            raw::envoy_dynamic_module_callback_http_filter_increment_counter(
                self.filter,
                counter.0,
                std::ptr::null(),
                0,
                value,
            );
        }
    }

    /// Adds one to a counter with one label.
    pub fn count_labelled(&mut self, counter: Metric, label: &str) {
        let value = Buffer::of(label.as_bytes());
        // SAFETY: the counter was defined with one label, and one is given.
        unsafe {
            raw::envoy_dynamic_module_callback_http_filter_increment_counter(
                self.filter,
                counter.0,
                &raw const value,
                1,
                1,
            );
        }
    }

    /// Adds a value to a histogram without labels.
    pub fn record(&mut self, histogram: Metric, value: u64) {
        // SAFETY: the histogram was defined without labels, so that none are read.
        unsafe {
            raw::envoy_dynamic_module_callback_http_filter_record_histogram_value(
                self.filter,
                histogram.0,
                std::ptr::null(),
                0,
                value,
            );
        }
    }

    /// What Envoy owns, for as long as nothing is set.
    #[allow(clippy::unused_self, reason = "the bytes live as long as the borrow of the stream")]
    fn bytes(&self, buffer: Buffer) -> &[u8] {
        if buffer.pointer.is_null() || buffer.length == 0 {
            return &[];
        }
        // SAFETY: Envoy keeps the bytes until the hook returns or a setter is called; a setter needs `&mut self`.
        unsafe { std::slice::from_raw_parts(buffer.pointer, buffer.length) }
    }
}

/// A configuration while it is made: the only time at which metrics can be defined.
pub struct Making {
    config: ConfigPointer,
}

impl Making {
    /// # Safety
    ///
    /// `config` is the pointer that Envoy called `config_new` with, and that hook outlives the value.
    pub unsafe fn new(config: ConfigPointer) -> Self {
        Self { config }
    }

    /// A counter, with the label or without.
    pub fn counter(&mut self, name: &str, label: Option<&str>) -> Metric {
        let label = label.map(|label| Buffer::of(label.as_bytes()));
        let mut id = 0;
        // SAFETY: the pointers are valid for the call, and there is one label where one is announced.
        unsafe {
            raw::envoy_dynamic_module_callback_http_filter_config_define_counter(
                self.config,
                Buffer::of(name.as_bytes()),
                label.as_ref().map_or(std::ptr::null(), std::ptr::from_ref),
                usize::from(label.is_some()),
                &raw mut id,
            );
        }
        Metric(id)
    }

    /// A histogram without labels.
    pub fn histogram(&mut self, name: &str) -> Metric {
        let mut id = 0;
        // SAFETY: the pointers are valid for the call, and no label is announced.
        unsafe {
            raw::envoy_dynamic_module_callback_http_filter_config_define_histogram(
                self.config,
                Buffer::of(name.as_bytes()),
                std::ptr::null(),
                0,
                &raw mut id,
            );
        }
        Metric(id)
    }
}

/// Writes a line to Envoy's log.
pub fn log_error(message: &str) {
    // SAFETY: Envoy copies the message.
    unsafe { raw::envoy_dynamic_module_callback_log(raw::LOG_ERROR, Buffer::of(message.as_bytes())) }
}
