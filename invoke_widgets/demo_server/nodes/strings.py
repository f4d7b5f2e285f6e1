"""String nodes."""

from __future__ import annotations

import re
from typing import Literal

from .base import BaseInvocation, NodeContext, input_field, invocation, type_field
from .outputs import String2Output, StringOutput, StringPosNegOutput


@invocation(title="String Join", tags=["string", "join"], category="strings", version="1.0.1")
class StringJoinInvocation(BaseInvocation):
    """Joins two strings"""

    string_left: str = input_field("", description="String Left", ui_component="textarea")
    string_right: str = input_field("", description="String Right", ui_component="textarea")
    type: Literal["string_join"] = type_field("string_join")

    def invoke(self, context: NodeContext) -> StringOutput:
        return StringOutput(value=self.string_left + self.string_right)


@invocation(title="String Join Three", tags=["string", "join"], category="strings", version="1.0.1")
class StringJoinThreeInvocation(BaseInvocation):
    """Joins three strings"""

    string_left: str = input_field("", description="String Left", ui_component="textarea")
    string_middle: str = input_field("", description="String Middle", ui_component="textarea")
    string_right: str = input_field("", description="String Right", ui_component="textarea")
    type: Literal["string_join_three"] = type_field("string_join_three")

    def invoke(self, context: NodeContext) -> StringOutput:
        return StringOutput(value=self.string_left + self.string_middle + self.string_right)


@invocation(title="String Replace", tags=["string", "replace", "regex"], category="strings", version="1.0.1")
class StringReplaceInvocation(BaseInvocation):
    """Replaces one string by another"""

    string: str = input_field("", description="String to work on", ui_component="textarea")
    search_string: str = input_field("", description="String to search for", ui_component="textarea")
    replace_string: str = input_field("", description="String to replace the search", ui_component="textarea")
    use_regex: bool = input_field(
        False, description="Whether the search string is a regular expression (if not, case is ignored)"
    )
    type: Literal["string_replace"] = type_field("string_replace")

    def invoke(self, context: NodeContext) -> StringOutput:
        if not self.search_string:
            return StringOutput(value=self.string)
        if self.use_regex:
            return StringOutput(value=re.sub(self.search_string, self.replace_string, self.string))
        pattern = re.compile(re.escape(self.search_string), re.IGNORECASE)
        return StringOutput(value=pattern.sub(self.replace_string, self.string))


@invocation(title="String Split", tags=["string", "split"], category="strings", version="1.0.1")
class StringSplitInvocation(BaseInvocation):
    """Splits a string in two at the first delimiter"""

    string: str = input_field("", description="String to split", ui_component="textarea")
    delimiter: str = input_field("", description="The delimiter")
    type: Literal["string_split"] = type_field("string_split")

    def invoke(self, context: NodeContext) -> String2Output:
        first, *rest = self.string.split(self.delimiter, 1)
        return String2Output(string_1=first, string_2=rest[0] if rest else "")


@invocation(title="String Split Negative", tags=["string", "split", "negative"], category="strings", version="1.0.1")
class StringSplitNegInvocation(BaseInvocation):
    """Splits what is inside of [] from what is outside"""

    string: str = input_field("", description="String to split", ui_component="textarea")
    type: Literal["string_split_neg"] = type_field("string_split_neg")

    def invoke(self, context: NodeContext) -> StringPosNegOutput:
        positive: list[str] = []
        negative: list[str] = []
        depth = 0
        escaped = False
        for char in self.string:
            if char == "[" and not escaped:
                negative.append(" ")
                depth += 1
            elif char == "]" and not escaped:
                depth -= 1
            else:
                (negative if depth > 0 else positive).append(char)
            escaped = char == "\\" and not escaped
        return StringPosNegOutput(positive_string="".join(positive), negative_string="".join(negative))
