import Domain
import Tracing

/// Spans as OTLP/HTTP in JSON (opentelemetry.io/docs/specs/otlp): the protocol buffer's JSON
/// mapping, with ids in hexadecimal, 64-bit numbers as text and enumerations as numbers.
struct OTLPRequest {
    /// Of who reports, under the names of the semantic conventions.
    let resource: [(name: String, value: String)]

    /// A statement or a name is cut there: it tells no more than its beginning.
    private static let textMax = 4096

    func encode(_ spans: [SpanRecord]) -> [UInt8] {
        var json = JSONWriter(capacity: 512 + spans.count * 640)
        json.object { json in
            json.member("resourceSpans") { json in
                json.array(CollectionOfOne(spans)) { json, spans in
                    json.object { json in
                        json.member("resource") { json in
                            json.object { $0.member("attributes") { writeResource(into: &$0) } }
                        }
                        json.member("scopeSpans") { json in
                            json.array(CollectionOfOne(spans)) { writeScope($1, into: &$0) }
                        }
                    }
                }
            }
        }
        return json.bytes
    }

    private func writeResource(into json: inout JSONWriter) {
        json.array(resource) { json, attribute in
            json.object { json in
                json.member("key", attribute.name)
                json.member("value") { json in
                    json.object { $0.member("stringValue", attribute.value) }
                }
            }
        }
    }

    private func writeScope(_ spans: [SpanRecord], into json: inout JSONWriter) {
        json.object { json in
            json.member("scope") { json in
                json.object { json in
                    json.member("name", "gatehouse")
                    json.member("version", Gatehouse.version)
                }
            }
            json.member("spans") { json in
                json.array(spans) { json, span in json.object { Self.write(span, into: &$0) } }
            }
        }
    }

    private static func write(_ span: SpanRecord, into json: inout JSONWriter) {
        json.member("traceId", "\(span.trace.traceID)")
        json.member("spanId", TraceContext.hex(span.trace.spanID))
        if !span.trace.state.isEmpty { json.member("traceState", span.trace.state) }
        if let parent = span.parent { json.member("parentSpanId", TraceContext.hex(parent.spanID)) }
        json.member("flags") { $0.integer(1) }
        json.member("name", span.name)
        json.member("kind") { $0.integer(number(of: span.kind)) }
        json.member("startTimeUnixNano", String(span.begin))
        json.member("endTimeUnixNano", String(span.end))
        json.member("attributes") { write(span.attributes, into: &$0) }
        if !span.events.isEmpty {
            json.member("events") { json in
                json.array(span.events) { json, event in
                    json.object { json in
                        json.member("timeUnixNano", String(event.nanosecondsSinceEpoch))
                        json.member("name", event.name)
                        json.member("attributes") { write(event.attributes, into: &$0) }
                    }
                }
            }
        }
        let links = span.links.compactMap { link in
            link.context.trace.map { (trace: $0, attributes: link.attributes) }
        }
        if !links.isEmpty {
            json.member("links") { json in
                json.array(links) { json, link in
                    json.object { json in
                        json.member("traceId", "\(link.trace.traceID)")
                        json.member("spanId", TraceContext.hex(link.trace.spanID))
                        json.member("attributes") { write(link.attributes, into: &$0) }
                    }
                }
            }
        }
        guard let status = span.status else { return }
        json.member("status") { json in
            json.object { json in
                json.member("code") { $0.integer(status.code == .error ? 2 : 1) }
                if let message = status.message { json.member("message", message) }
            }
        }
    }

    private static func number(of kind: SpanKind) -> Int64 {
        switch kind {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }

    private static func write(_ attributes: SpanAttributes, into json: inout JSONWriter) {
        var all: [(name: String, value: SpanAttribute)] = []
        // The type is no sequence.
        let append = { (name: String, value: SpanAttribute) in all.append((name, value)) }
        attributes.forEach(append)
        json.array(all.sorted { $0.name < $1.name }) { json, attribute in
            json.object { json in
                json.member("key", attribute.name)
                json.member("value") { json in
                    json.object { write(attribute.value, into: &$0) }
                }
            }
        }
    }

    private static func write(_ value: SpanAttribute, into json: inout JSONWriter) {
        switch value {
        case .bool(let value): json.member("boolValue", value)
        case .int32(let value): json.member("intValue", String(value))
        case .int64(let value): json.member("intValue", String(value))
        case .double(let value) where value.isFinite:
            json.member("doubleValue") { $0.raw(value.description.utf8) }
        case .string(let value): json.member("stringValue", cut(value))
        case .stringConvertible(let value): json.member("stringValue", cut("\(value)"))
        case .stringArray(let values):
            json.member("arrayValue") { json in
                json.object { json in
                    json.member("values") { json in
                        json.array(values) { json, value in
                            json.object { $0.member("stringValue", cut(value)) }
                        }
                    }
                }
            }
        // Nothing here sets any other kind; the library asks for a default.
        default: json.member("stringValue", cut("\(value)"))
        }
    }

    private static func cut(_ text: String) -> String {
        text.utf8.count <= textMax ? text : String(text.unicodeScalars.prefix(textMax))
    }
}
