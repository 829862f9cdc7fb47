local junit = require("postern.testing.junit")


describe("JUnit's XML", function()
    it("has a suite for each file and an element for what did not pass", function()
        assert.equal([[
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="postern">
  <testsuite name="a_spec.lua" tests="2" failures="1" errors="0" skipped="0">
    <testcase classname="a_spec.lua" name="x" file="a_spec.lua" line="3" time="0.250"/>
    <testcase classname="a_spec.lua" name="y" file="a_spec.lua" line="0" time="0.000">
      <failure message="&lt;a&gt; &amp; &quot;b&quot;&#10;&#9;c ?"/>
    </testcase>
  </testsuite>
  <testsuite name="b.jsonl" tests="2" failures="0" errors="1" skipped="1">
    <testcase classname="b.jsonl" name="1" file="b.jsonl" line="1" time="0.000">
      <error message="no"/>
    </testcase>
    <testcase classname="b.jsonl" name="é" file="b.jsonl" line="2" time="0.000">
      <skipped message=""/>
    </testcase>
  </testsuite>
</testsuites>
]], junit.encode({
            { file = "a_spec.lua", line = 3, name = "x", result = "passed", seconds = 0.25 },
            { file = "a_spec.lua", name = "y", result = "failed", message = '<a> & "b"\n\tc \1' },
            { file = "b.jsonl", line = 1, name = "1", result = "error", message = "no" },
            { file = "b.jsonl", line = 2, name = "é", result = "pending" },
        }))
    end)
end)
