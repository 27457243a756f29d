import Testing

/// One rule of the house: which files it covers, what it finds in one, and the exceptions it
/// grants. Pure: from files to failures.
struct Rule: Sendable {
    /// What an exception's allowance is compared with.
    enum Measure: Sendable {
        /// The number of findings on one subject.
        case count
        /// The largest finding on one subject: a file's lines, a function's lines.
        case size
    }

    /// A sentence that says what holds.
    let name: String
    var measure = Measure.count
    let covers: @Sendable (_ path: String) -> Bool
    var exceptions: [Exception] = []
    let find: @Sendable (SourceFile) -> [Finding]

    func findings(in file: SourceFile) -> [Finding] { covers(file.path) ? find(file) : [] }

    /// What to say of these files, one line a failure: what breaks the rule, and each exception
    /// that is larger than it has to be. An exception may only shrink.
    func failures(in files: [SourceFile]) -> [String] {
        var failures: [String] = []
        var needs: [Place: Int] = [:]
        for file in files {
            let found = findings(in: file)
            for finding in found {
                let place = Place(path: file.path, subject: finding.subject)
                needs[place] = need(needs[place] ?? 0, finding)
            }
            for finding in found {
                let place = Place(path: file.path, subject: finding.subject)
                let allowance = allowance(at: place)
                if needs[place] ?? 0 > allowance {
                    let excepted = allowance > 0 ? " (the exception allows \(allowance))" : ""
                    failures.append(
                        "\(file.path):\(finding.line): \(finding.said) · rule: \(name)\(excepted)")
                }
            }
        }
        return failures + staleExceptions(needs)
    }

    private func need(_ sofar: Int, _ finding: Finding) -> Int {
        switch measure {
        case .count: sofar + finding.size
        case .size: max(sofar, finding.size)
        }
    }

    private func allowance(at place: Place) -> Int {
        exceptions.first { $0.place == place }?.allowance ?? 0
    }

    private func staleExceptions(_ needs: [Place: Int]) -> [String] {
        exceptions.compactMap { exception in
            let needed = needs[exception.place] ?? 0
            guard needed < exception.allowance else { return nil }
            let subject = exception.subject.isEmpty ? "" : " of \(exception.subject)"
            let advice = needed == 0 ? "remove it" : "it needs \(needed)"
            return "\(exception.path): the exception\(subject) allows \(exception.allowance); "
                + "\(advice) · rule: \(name)"
        }
    }
}

/// One place where a rule does not hold.
struct Finding: Equatable, Sendable {
    let line: Int
    /// What an exception has to name beside the file: a module, a function. Empty: the file itself.
    var subject = ""
    var size = 1
    let said: String
}

/// A listed place where a rule need not hold, and why.
struct Exception: Sendable {
    let path: String
    var subject = ""
    var allowance = 1
    let because: String

    fileprivate var place: Place { Place(path: path, subject: subject) }
}

private struct Place: Hashable {
    let path: String
    let subject: String
}

/// Applies a rule to the tree as it is; every failure names file, line and rule.
func expectHeld(_ rule: Rule, sourceLocation: SourceLocation = #_sourceLocation) throws {
    for failure in rule.failures(in: try Tree.files.get()) {
        Issue.record("\(failure)", sourceLocation: sourceLocation)
    }
}
