// A field filter for nginx's njs as one writes it: the whole body, JSON.parse, what is declared, JSON.stringify.
// `declared`, from field names to true or to what is declared below, stands before this.

const pieces = [];

function keep(value, below) {
    if (below === true || value === null || typeof value !== 'object') {
        return value;
    }
    if (Array.isArray(value)) {
        return value.map((each) => keep(each, below));
    }
    const kept = {};
    for (const name in below) {
        if (name in value) {
            kept[name] = keep(value[name], below[name]);
        }
    }
    return kept;
}

function head(r) {
    delete r.headersOut['Content-Length'];
}

function body(r, data, flags) {
    if (data.length) {
        pieces.push(data);
    }
    if (flags.last) {
        const whole = Buffer.concat(pieces).toString();
        pieces.length = 0;
        r.sendBuffer(JSON.stringify(keep(JSON.parse(whole), declared)), flags);
    }
}

export default { head, body };
