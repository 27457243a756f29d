import Support
import Synchronization
import Testing

@testable import Appliance

@Suite("Progress bar")
struct ProgressBarTests {
    @Test("It shows what is done, of any length and however wrong")
    func text() {
        let full = String(repeating: "#", count: 30)
        let none = String(repeating: "·", count: 30)
        #expect(ProgressBar.text("copying", 0, of: 10) == "copying   [\(none)]   0 %")
        #expect(ProgressBar.text("verifying", 10, of: 10) == "verifying [\(full)] 100 %")
        #expect(ProgressBar.text("verifying", 11, of: 10) == "verifying [\(full)] 100 %")
        #expect(ProgressBar.text("verifying", -1, of: 10) == "verifying [\(none)]   0 %")
        #expect(ProgressBar.text("checking", 0, of: 0) == "checking  …")
        #expect(ProgressBar.text("writing", 1, of: 3).hasSuffix("]  33 %"))
    }

    @Test("Nothing is written into a pipe, and at a terminal only what changes")
    func quiet() {
        var written: [String] = []
        let pipe = ProgressBar(isShown: false) { written.append($0) }
        pipe.show("copying", 1, of: 2)
        pipe.clear()
        #expect(written.isEmpty)
        let terminal = ProgressBar(isShown: true) { written.append($0) }
        terminal.show("copying", 1, of: 2)
        terminal.show("copying", 1, of: 2)
        terminal.clear()
        terminal.clear()
        #expect(written.count == 2)
    }
}
