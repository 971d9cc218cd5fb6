//! What the module calls.

#![allow(clippy::missing_safety_doc, reason = "abi.h says what they ask for")]

use crate::abi::raw::{BodyKind, Buffer, ConfigPointer, FilterPointer, Header, HeaderKind};
use crate::host::{Answer, buffer, copied, envoy_dynamic_module_on_http_filter_local_reply, of, texts};

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_log(_level: u32, message: Buffer) {
    eprintln!("{}", String::from_utf8_lossy(&copied(message)));
}

unsafe fn define(config: ConfigPointer, name: Buffer, labels: *const Buffer, count: usize, id: *mut usize) -> u32 {
    copied(name);
    unsafe {
        texts(count, |number| *labels.add(number));
        let metrics = &mut *config.cast::<usize>();
        *metrics += 1;
        *id = *metrics;
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_filter_config_define_counter(
    config: ConfigPointer,
    name: Buffer,
    labels: *const Buffer,
    count: usize,
    id: *mut usize,
) -> u32 {
    unsafe { define(config, name, labels, count, id) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_filter_config_define_histogram(
    config: ConfigPointer,
    name: Buffer,
    labels: *const Buffer,
    count: usize,
    id: *mut usize,
) -> u32 {
    unsafe { define(config, name, labels, count, id) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_filter_increment_counter(
    _filter: FilterPointer,
    _id: usize,
    labels: *const Buffer,
    count: usize,
    _value: u64,
) -> u32 {
    unsafe { texts(count, |number| *labels.add(number)) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_filter_record_histogram_value(
    _filter: FilterPointer,
    _id: usize,
    labels: *const Buffer,
    count: usize,
    _value: u64,
) -> u32 {
    unsafe { texts(count, |number| *labels.add(number)) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_get_headers_size(
    filter: FilterPointer,
    kind: HeaderKind,
) -> usize {
    of(filter).heads[kind as usize].len()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_get_headers(
    filter: FilterPointer,
    kind: HeaderKind,
    headers: *mut Header,
) -> bool {
    for (number, (name, value)) in of(filter).heads[kind as usize].iter().enumerate() {
        unsafe { *headers.add(number) = Header { name: buffer(name), value: buffer(value) } };
    }
    true
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_add_header(
    filter: FilterPointer,
    kind: HeaderKind,
    name: Buffer,
    value: Buffer,
) -> bool {
    let host = of(filter);
    let added = (copied(name), copied(value));
    host.moved();
    host.heads[kind as usize].push(added);
    true
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_set_header(
    filter: FilterPointer,
    kind: HeaderKind,
    name: Buffer,
    value: Buffer,
) -> bool {
    let host = of(filter);
    let (name, set) = (copied(name), (!value.pointer.is_null()).then(|| copied(value)));
    host.moved();
    let head = &mut host.heads[kind as usize];
    head.retain(|header| header.0 != name);
    head.extend(set.map(|value| (name, value)));
    true
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_send_response(
    filter: FilterPointer,
    status: u32,
    headers: *const Header,
    count: usize,
    body: Buffer,
    details: Buffer,
) {
    let host = of(filter);
    assert!(host.answer == Answer::Passed && status >= 400, "answered twice, or with {status}");
    unsafe {
        texts(count, |number| (*headers.add(number)).name);
        texts(count, |number| (*headers.add(number)).value);
    }
    copied(body);
    host.moved();
    host.answer = Answer::Refused;
    unsafe { envoy_dynamic_module_on_http_filter_local_reply(filter, host.filter, status, details, false) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_get_body_chunks_size(
    filter: FilterPointer,
    kind: BodyKind,
) -> usize {
    of(filter).bodies[kind as usize].len()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_get_body_chunks(
    filter: FilterPointer,
    kind: BodyKind,
    chunks: *mut Buffer,
) -> bool {
    for (number, chunk) in of(filter).bodies[kind as usize].iter().enumerate() {
        unsafe { *chunks.add(number) = buffer(chunk) };
    }
    true
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_append_body(
    filter: FilterPointer,
    kind: BodyKind,
    data: Buffer,
) -> bool {
    let host = of(filter);
    let appended = copied(data);
    host.moved();
    host.bodies[kind as usize].push(appended);
    true
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_drain_body(
    filter: FilterPointer,
    kind: BodyKind,
    bytes: usize,
) -> bool {
    let body = &mut of(filter).bodies[kind as usize];
    let left = body.concat().split_off(bytes);
    *body = vec![left.into()];
    true
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_set_dynamic_metadata_string(
    _filter: FilterPointer,
    namespace: Buffer,
    key: Buffer,
    value: Buffer,
) {
    texts(3, |number| [namespace, key, value][number]);
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_filter_get_attribute_string(
    filter: FilterPointer,
    _attribute: u32,
    value: *mut Buffer,
) -> bool {
    unsafe { *value = buffer(&of(filter).peer) };
    true
}

#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_http_filter_reset_stream(
    filter: FilterPointer,
    _reason: u32,
    details: Buffer,
) {
    copied(details);
    of(filter).answer = Answer::Reset;
}
