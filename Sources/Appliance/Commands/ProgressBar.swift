import Glibc
import Store

/// What a person at a terminal sees while they wait; nothing in a pipe.
final class ProgressBar {
    let isShown: Bool
    private let put: (String) -> Void
    private var last = ""

    private static let width = 30

    convenience init() {
        self.init(isShown: isatty(2) == 1) { text in
            let bytes = Array(text.utf8)
            _ = write(2, bytes, bytes.count)
        }
    }

    /// - Parameter put: where it is drawn; a seam for tests.
    init(isShown: Bool, put: @escaping (String) -> Void) {
        self.isShown = isShown
        self.put = put
    }

    /// `verifying [##########····················]  34 %`
    ///
    /// - Parameter all: 0 or less: how far it is cannot be told.
    func show(_ what: String, _ done: Int64, of all: Int64) {
        guard isShown else { return }
        show(Self.text(what, done, of: all))
    }

    func show(_ stage: BackupStage, _ done: Int64, _ all: Int64) {
        show(stage.rawValue, done, of: all)
    }

    static func text(_ what: String, _ done: Int64, of all: Int64) -> String {
        let name = what + String(repeating: " ", count: max(0, 9 - what.count))
        guard all > 0 else { return "\(name) …" }
        let share = Double(min(max(done, 0), all)) / Double(all)
        let full = Int(share * Double(width))
        let bar =
            String(repeating: "#", count: full) + String(repeating: "·", count: width - full)
        let percent = String(Int(share * 100))
        return "\(name) [\(bar)] \(String(repeating: " ", count: 3 - percent.count))\(percent) %"
    }

    private func show(_ text: String) {
        guard text != last else { return }
        last = text
        put("\r\u{1B}[K\(text)")
    }

    func clear() {
        guard !last.isEmpty else { return }
        last = ""
        put("\r\u{1B}[K")
    }
}
