import Domain
import Testing

@testable import Appliance

@Suite("Metrics as text")
struct ExpositionTests {
    private static let counter = Metric.counter(
        "a_test_total", "A \"test\" with \\ and\na break.", by: "word")
    private static let timing = Metric.histogram(
        "b_test_seconds", "Time.", unit: .seconds, by: "route")

    private static func text(
        _ measurements: [Measurement], _ format: Exposition.Format = .text
    ) -> String {
        String(decoding: Exposition.write(measurements, as: format), as: UTF8.self)
    }

    @Test("help and labels are escaped, in each format as it says")
    func escaping() {
        let words = [(labels: ["\\ \" \n \r\n"], value: 1.0)]
        let measurement = Measurement(Self.counter, each: words)
        let sample = #"a_test_total{word="\\ \" \n "# + "\r" + #"\n"} 1"# + "\n"
        #expect(
            Self.text([measurement])
                == #"# HELP a_test_total A "test" with \\ and\na break."# + "\n"
                + "# TYPE a_test_total counter\n" + sample)
        #expect(
            Self.text([measurement], .openMetrics)
                == #"# HELP a_test A \"test\" with \\ and\na break."# + "\n"
                + "# TYPE a_test counter\n" + sample + "# EOF\n")
    }

    @Test("metrics are ordered by name and series by their labels, whatever order they came in")
    func order() {
        let values = [(labels: ["b"], value: 2.0), (labels: ["a"], value: 1.0)]
        let gauge = Metric.gauge("a_first", "First.")
        let lines = Self.text([Measurement(Self.counter, each: values), Measurement(gauge, 3)])
            .split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(
            lines == ["a_first 3", #"a_test_total{word="a"} 1"#, #"a_test_total{word="b"} 2"#])
    }

    @Test("a metric without series is not written, not even its head")
    func absent() {
        let gauge = Metric.gauge("a_gauge", "A gauge.")
        #expect(Self.text([Measurement(gauge, Duration?.none)]) == "")
        #expect(Self.text([Measurement(gauge, Duration.milliseconds(1500))]).hasSuffix(" 1.5\n"))
    }

    @Test("buckets are cumulative and inclusive, and the count is the last of them")
    func buckets() {
        let histogram = Histogram(bounds: [0.5, 1])
        for milliseconds in [100, 500, 501, 1000, 9000] {
            histogram.record(.milliseconds(milliseconds))
        }
        let series = Measurement.Series(labels: ["/"], value: .histogram(histogram.counts))
        let measurement = Measurement(Self.timing, [series])
        let end = """
            b_test_seconds_bucket{route="/",le="+Inf"} 5
            b_test_seconds_sum{route="/"} 11.101
            b_test_seconds_count{route="/"} 5

            """
        #expect(
            Self.text([measurement])
                == """
                # HELP b_test_seconds Time.
                # TYPE b_test_seconds histogram
                b_test_seconds_bucket{route="/",le="0.5"} 2
                b_test_seconds_bucket{route="/",le="1"} 4

                """ + end)
        #expect(
            Self.text([measurement], .openMetrics)
                == """
                # HELP b_test_seconds Time.
                # TYPE b_test_seconds histogram
                # UNIT b_test_seconds seconds
                b_test_seconds_bucket{route="/",le="0.5"} 2
                b_test_seconds_bucket{route="/",le="1.0"} 4

                """ + end + "# EOF\n")
    }

    @Test("a bucket has its last exemplar, in OpenMetrics alone")
    func exemplars() {
        let histogram = Histogram(bounds: [1])
        let trace = TraceContext(
            traceID: TraceContext.ID(high: 0, low: 0xab), spanID: 1, isSampled: true)
        let at = Timestamp(milliseconds: 1_700_000_000_500)
        for (seconds, isRecorded) in [(9.0, true), (0.5, true), (0.25, true), (0.1, false)] {
            let took = Duration.seconds(seconds)
            histogram.record(
                took, exemplar: isRecorded ? Exemplar(took: took, trace: trace, at: at) : nil)
        }
        let series = Measurement.Series(labels: ["/"], value: .histogram(histogram.counts))
        let measurement = Measurement(Self.timing, [series])
        let exemplar =
            #" # {trace_id="000000000000000000000000000000ab",span_id="0000000000000001"} "#
        let lines = Self.text([measurement], .openMetrics).split(separator: "\n")
        #expect(
            lines.contains(
                #"b_test_seconds_bucket{route="/",le="1.0"} 3"# + exemplar + "0.25 1700000000.5"))
        #expect(
            lines.contains(
                #"b_test_seconds_bucket{route="/",le="+Inf"} 4"# + exemplar + "9 1700000000.5"))
        #expect(!Self.text([measurement]).contains("trace_id"))
    }

    @Test("a time that ran backwards counts as none")
    func negative() {
        let histogram = Histogram(bounds: [1])
        histogram.record(.seconds(-5))
        #expect(histogram.counts.cumulative == [1])
        #expect(histogram.counts.sum == 0)
    }

    @Test(
        "numbers are written as both formats read them",
        arguments: [
            (0, "0"), (-3, "-3"), (1.5, "1.5"), (9_007_199_254_740_991, "9007199254740991"),
            (1e300, "1e+300"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
        ] as [(Double, String)])
    func numbers(value: Double, text: String) { #expect(Exposition.text(value) == text) }

    @Test(
        "OpenMetrics is for who names it in its version and wants it as much as text",
        arguments: [
            (nil, .text), ("", .text), ("*/*", .text), ("text/plain", .text),
            ("application/openmetrics-text", .openMetrics),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", .openMetrics),
            ("Application/OpenMetrics-Text;Version=\"1.0.0\"", .openMetrics),
            ("application/openmetrics-text;version=2.0.0", .text),
            ("application/openmetrics-text;q=0", .text),
            ("application/openmetrics-text;q=x", .text),
            ("application/openmetrics-text;q=0.4, text/plain;q=0.5", .text),
            (";;,=,;q=1", .text),
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                    + "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                .openMetrics
            ),
        ] as [(String?, Exposition.Format)])
    func negotiation(accept: String?, format: Exposition.Format) {
        #expect(Exposition.Format(accept: accept) == format)
    }
}
