-- A field filter for Envoy's Lua as one writes it without a library: decode, keep what is declared, encode.
-- DECLARED, from field names to true or to what is declared below, stands before this.

local byte, find, sub, char, format = string.byte, string.find, string.sub, string.char, string.format
local concat = table.concat
local NULL = {}
local ARRAY = {}
local ESCAPED = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function utf8_of(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + math.floor(code / 0x40), 0x80 + code % 0x40) end
  if code < 0x10000 then
    return char(0xE0 + math.floor(code / 0x1000), 0x80 + math.floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  end
  return char(0xF0 + math.floor(code / 0x40000), 0x80 + math.floor(code / 0x1000) % 0x40,
    0x80 + math.floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
end

local function decode_escape(text, at)
  local letter = sub(text, at, at)
  if letter ~= "u" then return ESCAPED[letter] or letter, at + 1 end
  local code = tonumber(sub(text, at + 1, at + 4), 16) or error("invalid escape")
  at = at + 5
  if code >= 0xD800 and code < 0xDC00 and sub(text, at, at + 1) == "\\u" then
    code = 0x10000 + (code - 0xD800) * 0x400 + tonumber(sub(text, at + 2, at + 5), 16) - 0xDC00
    at = at + 6
  end
  return utf8_of(code), at
end

local function decode_string(text, at)
  local stop = find(text, '["\\]', at) or error("unfinished string")
  if byte(text, stop) == 34 then return sub(text, at, stop - 1), stop + 1 end
  local parts = {}
  while byte(text, stop) == 92 do
    parts[#parts + 1] = sub(text, at, stop - 1)
    parts[#parts + 1], at = decode_escape(text, stop + 1)
    stop = find(text, '["\\]', at) or error("unfinished string")
  end
  parts[#parts + 1] = sub(text, at, stop - 1)
  return concat(parts), stop + 1
end

local decode

local function decode_object(text, at)
  local found, name = {}, nil
  at = find(text, "%S", at)
  if byte(text, at) == 125 then return found, at + 1 end
  while true do
    if byte(text, at) ~= 34 then error("expected a name") end
    name, at = decode_string(text, at + 1)
    at = find(text, "%S", at)
    if byte(text, at) ~= 58 then error("expected a colon") end
    found[name], at = decode(text, at + 1)
    at = find(text, "%S", at)
    local mark = byte(text, at)
    if mark == 125 then return found, at + 1 end
    if mark ~= 44 then error("expected a comma") end
    at = find(text, "%S", at + 1)
  end
end

local function decode_array(text, at)
  local found, count = setmetatable({}, ARRAY), 0
  at = find(text, "%S", at)
  if byte(text, at) == 93 then return found, at + 1 end
  while true do
    count = count + 1
    found[count], at = decode(text, at)
    at = find(text, "%S", at)
    local mark = byte(text, at)
    if mark == 93 then return found, at + 1 end
    if mark ~= 44 then error("expected a comma") end
    at = at + 1
  end
end

function decode(text, at)
  at = find(text, "%S", at) or error("unfinished document")
  local mark = byte(text, at)
  if mark == 34 then return decode_string(text, at + 1) end
  if mark == 123 then return decode_object(text, at + 1) end
  if mark == 91 then return decode_array(text, at + 1) end
  if sub(text, at, at + 3) == "true" then return true, at + 4 end
  if sub(text, at, at + 4) == "false" then return false, at + 5 end
  if sub(text, at, at + 3) == "null" then return NULL, at + 4 end
  local _, stop = find(text, "^-?%d+%.?%d*[eE]?[+-]?%d*", at)
  if not stop then error("unexpected character") end
  return tonumber(sub(text, at, stop)), stop + 1
end

local function encode_character(found)
  return found == '"' and '\\"' or found == "\\" and "\\\\" or format("\\u%04x", byte(found))
end

local function encode_string(value)
  if find(value, '["\\%c]') then value = string.gsub(value, '["\\%c]', encode_character) end
  return '"' .. value .. '"'
end

local function encode(value, out)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = encode_string(value)
  elseif kind == "number" then
    out[#out + 1] = format("%.14g", value)
  elseif kind == "boolean" then
    out[#out + 1] = value and "true" or "false"
  elseif value == NULL then
    out[#out + 1] = "null"
  elseif getmetatable(value) == ARRAY then
    out[#out + 1] = "["
    for index, each in ipairs(value) do
      if index > 1 then out[#out + 1] = "," end
      encode(each, out)
    end
    out[#out + 1] = "]"
  else
    local mark = "{"
    for name, each in pairs(value) do
      out[#out + 1] = mark
      out[#out + 1] = encode_string(name)
      out[#out + 1] = ":"
      encode(each, out)
      mark = ","
    end
    out[#out + 1] = mark == "{" and "{}" or "}"
  end
end

local function keep(value, declared)
  if declared == true or type(value) ~= "table" then return value end
  if getmetatable(value) == ARRAY then
    for index, each in ipairs(value) do value[index] = keep(each, declared) end
    return value
  end
  local kept = {}
  for name, below in pairs(declared) do
    if value[name] ~= nil then kept[name] = keep(value[name], below) end
  end
  return kept
end

local function filter(handle)
  local body = handle:body(true)
  local out = {}
  encode(keep(decode(body:getBytes(0, body:length()), 1), DECLARED), out)
  body:setBytes(concat(out))
end

