//! The functions that Envoy calls. None of them unwinds into it: a defect becomes a refused request.

use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::raw::{self, Buffer, ConfigPointer, FilterPointer};
use super::stream::{Making, Stream, log_error};
use crate::config::Config;
use crate::filter::{Filter, Pass};

/// Runs a hook of a stream. After a defect the stream lets nothing through any more.
fn guarded(envoy: FilterPointer, module: *mut c_void, hook: impl FnOnce(&mut Filter, &mut Stream<'_>) -> Pass) -> Pass {
    // SAFETY: Envoy calls with the pointer that `filter_new` gave it, from one thread at a time, until `destroy`.
    let filter = unsafe { &mut *module.cast::<Filter>() };
    // SAFETY: the stream does not outlive the hook.
    let mut stream = unsafe { Stream::new(envoy) };
    let done = catch_unwind(AssertUnwindSafe(|| hook(filter, &mut stream)));
    done.unwrap_or_else(|_| catch_unwind(AssertUnwindSafe(|| filter.defect(&mut stream))).unwrap_or(Pass::Stop))
}

fn headers_status(pass: Pass) -> u32 {
    if pass == Pass::On { raw::HEADERS_CONTINUE } else { raw::HEADERS_STOP }
}

fn body_status(pass: Pass) -> u32 {
    if pass == Pass::On { raw::BODY_CONTINUE } else { raw::BODY_STOP }
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_program_init() -> *const c_char {
    // The message of a panic may quote what was being read; where it came from is enough.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        log_error(&format!("lawflow met a defect at {place} and refuses the request"));
    }));
    raw::VERSION.as_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
    config: ConfigPointer,
    _name: Buffer,
    policy: Buffer,
) -> *const c_void {
    let made = catch_unwind(|| {
        // An empty text may come without a pointer.
        let text = if policy.length == 0 {
            &[][..]
        } else {
            // SAFETY: Envoy keeps the text until the hook returns.
            unsafe { std::slice::from_raw_parts(policy.pointer, policy.length) }
        };
        // SAFETY: the value does not outlive the hook.
        Config::new(text, &mut unsafe { Making::new(config) })
    });
    match made {
        Ok(Ok(made)) => Box::into_raw(Box::new(made)).cast(),
        Ok(Err(error)) => {
            log_error(&error.to_string());
            std::ptr::null()
        }
        Err(_) => std::ptr::null(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_destroy(config: *mut c_void) {
    // SAFETY: it was made by `config_new`, and Envoy calls this once, after all its filters are gone.
    drop(unsafe { Box::from_raw(config.cast::<Config>()) });
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_new(config: *const c_void, _envoy: FilterPointer) -> *const c_void {
    // SAFETY: it was made by `config_new`, is shared by all workers and changed by none, and outlives its filters.
    let config: &'static Config = unsafe { &*config.cast::<Config>() };
    Box::into_raw(Box::new(Filter::new(config))).cast()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_destroy(filter: *mut c_void) {
    // SAFETY: it was made by `filter_new`, and Envoy calls this once.
    drop(unsafe { Box::from_raw(filter.cast::<Filter>()) });
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_request_headers(
    envoy: FilterPointer,
    filter: *mut c_void,
    end: bool,
) -> u32 {
    headers_status(guarded(envoy, filter, |filter, stream| filter.request_headers(stream, end)))
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_request_body(
    envoy: FilterPointer,
    filter: *mut c_void,
    end: bool,
) -> u32 {
    body_status(guarded(envoy, filter, |filter, stream| filter.request_body(stream, end)))
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_request_trailers(envoy: FilterPointer, filter: *mut c_void) -> u32 {
    headers_status(guarded(envoy, filter, Filter::request_trailers))
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_response_headers(
    envoy: FilterPointer,
    filter: *mut c_void,
    end: bool,
) -> u32 {
    headers_status(guarded(envoy, filter, |filter, stream| filter.response_headers(stream, end)))
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_response_body(
    envoy: FilterPointer,
    filter: *mut c_void,
    end: bool,
) -> u32 {
    body_status(guarded(envoy, filter, |filter, stream| filter.response_body(stream, end)))
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_response_trailers(envoy: FilterPointer, filter: *mut c_void) -> u32 {
    headers_status(guarded(envoy, filter, Filter::response_trailers))
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_local_reply(
    _envoy: FilterPointer,
    filter: *mut c_void,
    _status: u32,
    _details: Buffer,
    _reset_imminent: bool,
) -> u32 {
    // SAFETY: as in `guarded`; the field that is set needs no hook of its own to be finished.
    unsafe { (*filter.cast::<Filter>()).answered_locally() };
    0
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_stream_complete(_envoy: FilterPointer, _filter: *mut c_void) {}

/// Hooks that Envoy looks for and has no reason to call: the module starts no calls of its own, schedules nothing, is
/// configured for whole ports and never ends a chain of filters.
mod unused {
    use super::{Buffer, FilterPointer, c_void};

    #[unsafe(no_mangle)]
    extern "C" fn envoy_dynamic_module_on_http_filter_per_route_config_new(
        _name: Buffer,
        _config: Buffer,
    ) -> *const c_void {
        std::ptr::null()
    }

    #[unsafe(no_mangle)]
    extern "C" fn envoy_dynamic_module_on_http_filter_per_route_config_destroy(_config: *mut c_void) {}

    #[unsafe(no_mangle)]
    extern "C" fn envoy_dynamic_module_on_http_filter_http_callout_done(
        _envoy: FilterPointer,
        _filter: *mut c_void,
        _callout: u64,
        _result: u32,
        _headers: *const c_void,
        _header_count: usize,
        _chunks: *const c_void,
        _chunk_count: usize,
    ) {
    }

    #[unsafe(no_mangle)]
    extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_headers(
        _envoy: FilterPointer,
        _filter: *mut c_void,
        _stream: u64,
        _headers: *const c_void,
        _header_count: usize,
        _end: bool,
    ) {
    }

    #[unsafe(no_mangle)]
    extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_data(
        _envoy: FilterPointer,
        _filter: *mut c_void,
        _stream: u64,
        _chunks: *const c_void,
        _chunk_count: usize,
        _end: bool,
    ) {
    }

    #[unsafe(no_mangle)]
    extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_trailers(
        _envoy: FilterPointer,
        _filter: *mut c_void,
        _stream: u64,
        _trailers: *const c_void,
        _trailer_count: usize,
    ) {
    }

    #[unsafe(no_mangle)]
    extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_complete(
        _envoy: FilterPointer,
        _filter: *mut c_void,
        _stream: u64,
    ) {
    }

    #[unsafe(no_mangle)]
    extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_reset(
        _envoy: FilterPointer,
        _filter: *mut c_void,
        _stream: u64,
        _reason: u32,
    ) {
    }

    #[unsafe(no_mangle)]
    extern "C" fn envoy_dynamic_module_on_http_filter_scheduled(
        _envoy: FilterPointer,
        _filter: *mut c_void,
        _event: u64,
    ) {
    }

    #[unsafe(no_mangle)]
    extern "C" fn envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(
        _envoy: FilterPointer,
        _filter: *mut c_void,
    ) {
    }

    #[unsafe(no_mangle)]
    extern "C" fn envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(
        _envoy: FilterPointer,
        _filter: *mut c_void,
    ) {
    }
}
