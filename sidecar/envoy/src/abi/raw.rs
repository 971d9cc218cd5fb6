//! Envoy's C interface for dynamic modules, version 0.2: the part of it that is used here.
//!
//! Written after `source/extensions/dynamic_modules/abi/abi.h` of Envoy 1.40. What points to Envoy's memory is valid
//! until the hook at hand returns, or until a setter is called.

use std::ffi::c_void;

/// The version of the interface, as Envoy compares it.
pub const VERSION: &std::ffi::CStr = c"v0.2.0";

/// An HTTP filter of one stream, on Envoy's side.
pub type FilterPointer = *mut c_void;
/// The configuration of filters, on Envoy's side.
pub type ConfigPointer = *mut c_void;

/// Bytes that Envoy or the module owns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Buffer {
    pub pointer: *const u8,
    pub length: usize,
}

impl Buffer {
    pub const EMPTY: Self = Self { pointer: std::ptr::null(), length: 0 };

    pub fn of(bytes: &[u8]) -> Self {
        Self { pointer: bytes.as_ptr(), length: bytes.len() }
    }
}

/// A header, of whichever side.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Header {
    pub name: Buffer,
    pub value: Buffer,
}

/// Which headers.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderKind {
    Request = 0,
    RequestTrailer = 1,
    Response = 2,
    ResponseTrailer = 3,
}

/// Which body: the piece that a hook is called with, or what Envoy holds of those before.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    ReceivedRequest = 0,
    BufferedRequest = 1,
    ReceivedResponse = 2,
    BufferedResponse = 3,
}

/// `connection.uri_san_peer_certificate` among the attributes.
pub const PEER_URI_SAN: u32 = 37;
/// The reset that is the sidecar's own decision.
pub const LOCAL_RESET: u32 = 0;
/// Log levels.
pub const LOG_ERROR: u32 = 4;

/// What the headers and trailers hooks answer.
pub const HEADERS_CONTINUE: u32 = 0;
pub const HEADERS_STOP: u32 = 1;
/// What the body hooks answer.
pub const BODY_CONTINUE: u32 = 0;
pub const BODY_STOP: u32 = 3;

unsafe extern "C" {
    pub fn envoy_dynamic_module_callback_log(level: u32, message: Buffer);
    pub fn envoy_dynamic_module_callback_http_filter_config_define_counter(
        config: ConfigPointer,
        name: Buffer,
        label_names: *const Buffer,
        label_count: usize,
        id: *mut usize,
    ) -> u32;
    pub fn envoy_dynamic_module_callback_http_filter_increment_counter(
        filter: FilterPointer,
        id: usize,
        label_values: *const Buffer,
        label_count: usize,
        value: u64,
    ) -> u32;
    pub fn envoy_dynamic_module_callback_http_filter_config_define_histogram(
        config: ConfigPointer,
        name: Buffer,
        label_names: *const Buffer,
        label_count: usize,
        id: *mut usize,
    ) -> u32;
    pub fn envoy_dynamic_module_callback_http_filter_record_histogram_value(
        filter: FilterPointer,
        id: usize,
        label_values: *const Buffer,
        label_count: usize,
        value: u64,
    ) -> u32;
    pub fn envoy_dynamic_module_callback_http_get_headers_size(filter: FilterPointer, kind: HeaderKind) -> usize;
    pub fn envoy_dynamic_module_callback_http_get_headers(
        filter: FilterPointer,
        kind: HeaderKind,
        headers: *mut Header,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_add_header(
        filter: FilterPointer,
        kind: HeaderKind,
        name: Buffer,
        value: Buffer,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_set_header(
        filter: FilterPointer,
        kind: HeaderKind,
        name: Buffer,
        value: Buffer,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_send_response(
        filter: FilterPointer,
        status: u32,
        headers: *const Header,
        header_count: usize,
        body: Buffer,
        details: Buffer,
    );
    pub fn envoy_dynamic_module_callback_http_get_body_chunks_size(filter: FilterPointer, kind: BodyKind) -> usize;
    pub fn envoy_dynamic_module_callback_http_get_body_chunks(
        filter: FilterPointer,
        kind: BodyKind,
        chunks: *mut Buffer,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_append_body(filter: FilterPointer, kind: BodyKind, data: Buffer) -> bool;
    pub fn envoy_dynamic_module_callback_http_drain_body(filter: FilterPointer, kind: BodyKind, bytes: usize) -> bool;
    pub fn envoy_dynamic_module_callback_http_set_dynamic_metadata_string(
        filter: FilterPointer,
        namespace: Buffer,
        key: Buffer,
        value: Buffer,
    );
    pub fn envoy_dynamic_module_callback_http_filter_get_attribute_string(
        filter: FilterPointer,
        attribute: u32,
        value: *mut Buffer,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_filter_reset_stream(filter: FilterPointer, reason: u32, details: Buffer);
}
