import Domain

/// Measurements as text: the Prometheus format 0.0.4, which everything reads, or OpenMetrics 1.0.0
/// for who asks for it.
///
/// The two differ in small things: OpenMetrics calls a counter by its name without `_total`, tells
/// units, escapes quotes in help texts, writes bounds of buckets as floats, and ends with `# EOF`.
struct Exposition {
    enum Format: CaseIterable {
        case text, openMetrics

        var contentType: String {
            switch self {
            case .text: "text/plain; version=0.0.4; charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }

    private let format: Format
    private var bytes: [UInt8] = []

    /// Ordered by name, then by labels: two scrapes can be compared line by line.
    static func write(_ measurements: [Measurement], as format: Format) -> [UInt8] {
        var exposition = Exposition(format: format)
        exposition.bytes.reserveCapacity(64 * 1024)
        for measurement in measurements.sorted(by: { $0.metric.name < $1.metric.name }) {
            exposition.write(measurement)
        }
        if format == .openMetrics { exposition.put("# EOF\n") }
        return exposition.bytes
    }

    private init(format: Format) { self.format = format }

    private mutating func write(_ measurement: Measurement) {
        // A metric without series says nothing, and its head would be noise.
        guard !measurement.series.isEmpty else { return }
        let metric = measurement.metric
        writeHead(metric)
        let ordered = measurement.series.sorted { $0.labels.lexicographicallyPrecedes($1.labels) }
        for series in ordered {
            let labels = Array(zip(metric.labels, series.labels))
            switch series.value {
            case .number(let value): writeSample(metric.name, labels, Self.text(value))
            case .histogram(let counts): write(counts, metric.name, labels)
            }
        }
    }

    private mutating func writeHead(_ metric: Metric) {
        let isOpen = format == .openMetrics
        let suffix = isOpen && metric.kind == .counter ? "_total" : ""
        let family =
            metric.name.hasSuffix(suffix) ? metric.name.dropLast(suffix.count) : metric.name[...]
        put("# HELP \(family) \(Self.escaped(metric.help, quotes: isOpen))\n")
        put("# TYPE \(family) \(metric.kind.rawValue)\n")
        if isOpen, let unit = metric.unit { put("# UNIT \(family) \(unit.rawValue)\n") }
    }

    private mutating func write(
        _ counts: Histogram.Counts, _ name: String, _ labels: [(String, String)]
    ) {
        for (index, (bound, count)) in zip(counts.bounds, counts.cumulative).enumerated() {
            let bound = format == .openMetrics ? bound.description : Self.text(bound)
            writeSample(
                name + "_bucket", labels + [("le", bound)], String(count),
                counts.exemplars[index])
        }
        writeSample(
            name + "_bucket", labels + [("le", "+Inf")], String(counts.count),
            counts.exemplars[counts.bounds.count])
        writeSample(name + "_sum", labels, Self.text(counts.sum))
        writeSample(name + "_count", labels, String(counts.count))
    }

    private mutating func writeSample(
        _ name: String, _ labels: [(String, String)], _ value: String,
        _ exemplar: Exemplar? = nil
    ) {
        put(name)
        for (index, label) in labels.enumerated() {
            put(index == 0 ? "{" : ",")
            put("\(label.0)=\"\(Self.escaped(label.1, quotes: true))\"")
        }
        put(labels.isEmpty ? " " : "} ")
        put(value)
        // The text format has none.
        if let exemplar, format == .openMetrics { write(exemplar) }
        put("\n")
    }

    private mutating func write(_ exemplar: Exemplar) {
        put(" # {trace_id=\"\(exemplar.trace.traceID)\",span_id=\"")
        put("\(TraceContext.hex(exemplar.trace.spanID))\"} ")
        put(Self.text(exemplar.took / .seconds(1)))
        put(" \(Double(exemplar.at.milliseconds) / 1000)")
    }

    private mutating func put(_ text: some StringProtocol) { bytes.append(contentsOf: text.utf8) }

    /// Whole numbers without a point, as far as a float has them exactly.
    static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        guard let whole = Int64(exactly: value), whole.magnitude < 1 << 53 else {
            return value.description
        }
        return String(whole)
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        guard text.utf8.contains(where: { [0x5C, 0x0A, 0x22].contains($0) }) else { return text }
        // By scalar: a carriage return and the line feed behind it are one character.
        var escaped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped.append(contentsOf: #"\\"#.unicodeScalars)
            case "\n": escaped.append(contentsOf: #"\n"#.unicodeScalars)
            case "\"" where quotes: escaped.append(contentsOf: #"\""#.unicodeScalars)
            default: escaped.append(scalar)
            }
        }
        return String(escaped)
    }
}

extension Exposition.Format {
    /// What an `Accept` header (RFC 9110, 12.5.1) asks for: OpenMetrics where it is named, in a
    /// version that is ours, and wanted as much as text.
    init(accept: String?) {
        var (open, text) = (0.0, 0.0)
        for range in (accept ?? "").split(separator: ",") {
            let parts = range.split(separator: ";").map { Self.trimmed($0).lowercased() }
            var parameters: [String: String] = [:]
            for part in parts.dropFirst() {
                let pair = part.split(separator: "=", maxSplits: 1).map { Self.trimmed($0) }
                if pair.count == 2 { parameters[pair[0]] = pair[1].filter { $0 != "\"" } }
            }
            let weight = parameters["q"].map { Double($0) ?? 0 } ?? 1
            let version = parameters["version"]
            switch parts.first {
            case "application/openmetrics-text" where version == nil || version == "1.0.0":
                open = max(open, weight)
            case "text/plain" where version == nil || version == "0.0.4", "text/*", "*/*":
                text = max(text, weight)
            default: break
            }
        }
        self = open > 0 && open >= text ? .openMetrics : .text
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        let isBlank = { (character: Character) in character == " " || character == "\t" }
        let end = text.lastIndex { !isBlank($0) }.map { text.index(after: $0) } ?? text.startIndex
        return String(text[..<end].drop(while: isBlank))
    }
}
