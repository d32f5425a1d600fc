using IgptCluster.Contracts;

namespace IgptCluster.Gateway.Tests;

public sealed class EchoTests
{
    [Theory]
    [InlineData("birds", "'birds'")]
    [InlineData("", "''")]
    [InlineData("Vögel 🎨", "'Vögel 🎨'")]
    [InlineData("two\r\nlines", @"'two\u000d\u000alines'")]
    [InlineData("\u001b[31mred", @"'\u001b[31mred'")]
    [InlineData("a\u202eb", @"'a\u202eb'")]
    public void Quoted_Value_IsOneLine(string value, string shown) => Assert.Equal(shown, Echo.Quoted(value));

    [Fact]
    public void Quoted_HalfACharacter_IsEscaped() => Assert.Equal(@"'\ud83c'", Echo.Quoted("\ud83c"));

    [Fact]
    public void Quoted_LongValue_IsCutAndItsLengthTold() => Assert.Equal($"'{new string('x', 200)}…' (1,048,576 characters)", Echo.Quoted(new string('x', 1 << 20)));

    [Fact]
    public void Quoted_PairAtTheCut_IsNotHalved() => Assert.Equal($"'{new string('x', 199)}…' (300 characters)", Echo.Quoted(new string('x', 199) + "🎨" + new string('x', 99)));

    [Fact]
    public void List_ManyValues_TellsHowManyMore() => Assert.Equal(
        "'m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9' and 50 more", Echo.List([.. Enumerable.Range(0, 60).Select(i => $"m{i}")]));

    [Fact]
    public void List_NoValues_SaysSo() => Assert.Equal("none", Echo.List([]));
}
