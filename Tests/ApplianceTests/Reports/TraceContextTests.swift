import Domain
import HTTPTypes
import Testing
import Tracing

@testable import Appliance

@Suite("Trace context")
struct TraceContextTests {
    private static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    @Test("a traceparent is read and written as it stands in the recommendation")
    func roundTrip() throws {
        let trace = try #require(TraceContext(traceparent: Self.parent))
        #expect("\(trace.traceID)" == "0af7651916cd43dd8448eb211c80319c")
        #expect(TraceContext.hex(trace.spanID) == "b7ad6b7169203331")
        #expect(trace.isSampled)
        #expect(trace.traceparent == Self.parent)
    }

    @Test(
        "what is no traceparent is none",
        arguments: [
            "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
            "0ä-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ])
    func malformed(_ text: String) { #expect(TraceContext(traceparent: text) == nil) }

    @Test("a later version is read as far as it is known, and goes on as ours")
    func laterVersion() throws {
        let later = "cc" + Self.parent.dropFirst(2) + "-what-comes"
        #expect(TraceContext(traceparent: later)?.traceparent == Self.parent)
    }

    @Test("only the first bit of the flags says that it is recorded", arguments: 0..<16)
    func flags(_ flags: Int) throws {
        let text = Self.parent.dropLast() + String(flags, radix: 16)
        #expect(TraceContext(traceparent: String(text))?.isSampled == (flags & 1 == 1))
    }

    @Test("a tracestate goes on whole, or not at all")
    func state() throws {
        func state(_ fields: String...) -> String? {
            TraceContext(traceparent: Self.parent, state: fields)?.state
        }
        #expect(state("a=1", "b=2") == "a=1,b=2")
        #expect(state() == "")
        #expect(state("a=1,b") == "")
        #expect(state("a=\u{7}") == "")
        #expect(state(String(repeating: "a=1,", count: 33)) == "")
        #expect(state("a=" + String(repeating: "x", count: 511)) == "")
    }

    @Test("two traceparents of one request are none")
    func twice() {
        var fields = HTTPFields()
        fields.append(HTTPField(name: .traceparent, value: Self.parent))
        #expect(TraceContext(fields) != nil)
        fields.append(HTTPField(name: .traceparent, value: Self.parent))
        #expect(TraceContext(fields) == nil)
    }
}

@Suite("Spans")
struct SpanTracerTests {
    private struct Carrier: Extractor, Injector {
        func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }

        func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) {
            carrier[key] = value
        }
    }

    private static let remote = TraceContext(
        traceID: TraceContext.ID(high: 1, low: 2), spanID: 3, isSampled: true, state: "a=1")

    @Test("whoever calls decides; of what begins here it is the ratio's part")
    func sampling() {
        var context = InstrumentationContext.topLevel
        let none = SpanTracer(ratio: 0)
        #expect(none.root("a", .server, from: nil, in: &context) == nil)
        #expect(none.root("a", .server, from: Self.remote, in: &context) != nil)
        var silent = Self.remote
        silent = TraceContext(traceID: silent.traceID, spanID: 3, isSampled: false)
        let all = SpanTracer(ratio: 1)
        #expect(all.root("a", .server, from: silent, in: &context) == nil)
        #expect(context.trace?.traceID == silent.traceID)
        #expect(all.root("a", .server, from: nil, in: &context) != nil)
        let sampler = SpanSampler(ratio: 0.25)
        let taken = (0..<4096).count { index in
            sampler.takes(TraceContext.ID(high: 0, low: UInt64(index) << 52 | 1))
        }
        #expect(taken == 1024)
    }

    @Test("a span below another has its trace, its state and its id as the parent's")
    func parents() async throws {
        let tracer = SpanTracer(ratio: 0)
        var context = InstrumentationContext.topLevel
        let root = try #require(tracer.root("root", .server, from: Self.remote, in: &context))
        try await root.run { () throws(Problem) in
            try await tracer.span("child", .client, ["a": 1]) { () throws(Problem) in }
        }
        let records = tracer.outbox.take(atMost: 10)
        #expect(records.map(\.name) == ["child", "root"])
        #expect(records.allSatisfy { $0.trace.traceID == Self.remote.traceID })
        #expect(records.allSatisfy { $0.trace.state == "a=1" && $0.end >= $0.begin })
        #expect(records[1].parent == Self.remote)
        #expect(records[0].parent == records[1].trace)
        #expect(records[0].attributes.get("a") == .int64(1))
    }

    @Test("a step that fails says its problem's code, and throws it on")
    func failure() async {
        let tracer = SpanTracer(ratio: 1)
        var context = InstrumentationContext.topLevel
        let root = tracer.root("root", .server, from: nil, in: &context)
        await #expect(throws: Problem.self) {
            try await root?.run { () throws(Problem) in
                throw Problem(.unavailable, "The secret is x.")
            }
        }
        let record = tracer.outbox.take(atMost: 1).first
        #expect(record?.attributes.get("error.type") == .string("unavailable"))
        #expect(record?.status?.code == .error)
        #expect(record?.status?.message == nil)
    }

    @Test("libraries carry a trace in and out through the package's own interface")
    func carriers() {
        let tracer = SpanTracer(ratio: 0)
        var context = InstrumentationContext.topLevel
        let sent = ["traceparent": Self.remote.traceparent, "tracestate": "a=1"]
        tracer.extract(sent, into: &context, using: Carrier())
        #expect(context.trace == Self.remote)
        let span = tracer.startSpan("library", context: context, ofKind: .client)
        var carrier: [String: String] = [:]
        tracer.inject(span.context, into: &carrier, using: Carrier())
        let told = carrier["traceparent"].flatMap {
            TraceContext(traceparent: $0, state: [carrier["tracestate"] ?? ""])
        }
        #expect(told == span.context.trace && told?.traceID == Self.remote.traceID)
        #expect(told?.spanID != Self.remote.spanID)
        span.end()
        span.end()
        #expect(tracer.outbox.take(atMost: 9).count == 1)
    }

    @Test("what does not fit into the outbox is dropped and counted")
    func bounded() {
        let outbox = Outbox<Int>(capacity: 3, full: 2)
        #expect((0..<5).map { outbox.put($0) } == [true, true, true, false, false])
        #expect(outbox.dropped == 2)
        #expect(outbox.take(atMost: 2) == [0, 1])
        #expect(outbox.put(5))
        #expect(outbox.take(atMost: 9) == [2, 5])
    }
}
