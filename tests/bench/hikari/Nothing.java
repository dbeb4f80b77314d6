// A connection to nothing, so that what is measured is the pool around it.
import java.sql.*;

final class Nothing implements Connection {
  public Statement createStatement() { return null; }
  public PreparedStatement prepareStatement(java.lang.String a0) { return null; }
  public CallableStatement prepareCall(java.lang.String a0) { return null; }
  public java.lang.String nativeSQL(java.lang.String a0) { return null; }
  public void setAutoCommit(boolean a0) { }
  public boolean getAutoCommit() { return true; }
  public void commit() { }
  public void rollback() { }
  public void close() { }
  public boolean isClosed() { return false; }
  public DatabaseMetaData getMetaData() { return null; }
  public void setReadOnly(boolean a0) { }
  public boolean isReadOnly() { return false; }
  public void setCatalog(java.lang.String a0) { }
  public java.lang.String getCatalog() { return null; }
  public void setTransactionIsolation(int a0) { }
  public int getTransactionIsolation() { return 0; }
  public SQLWarning getWarnings() { return null; }
  public void clearWarnings() { }
  public Statement createStatement(int a0, int a1) { return null; }
  public PreparedStatement prepareStatement(java.lang.String a0, int a1, int a2) { return null; }
  public CallableStatement prepareCall(java.lang.String a0, int a1, int a2) { return null; }
  public void setTypeMap(java.util.Map<java.lang.String a0, java.lang.Class<?>> a1) { }
  public void setHoldability(int a0) { }
  public int getHoldability() { return 0; }
  public Savepoint setSavepoint() { return null; }
  public Savepoint setSavepoint(java.lang.String a0) { return null; }
  public void rollback(Savepoint a0) { }
  public void releaseSavepoint(Savepoint a0) { }
  public Statement createStatement(int a0, int a1, int a2) { return null; }
  public PreparedStatement prepareStatement(java.lang.String a0, int a1, int a2, int a3) { return null; }
  public CallableStatement prepareCall(java.lang.String a0, int a1, int a2, int a3) { return null; }
  public PreparedStatement prepareStatement(java.lang.String a0, int a1) { return null; }
  public PreparedStatement prepareStatement(java.lang.String a0, int[] a1) { return null; }
  public PreparedStatement prepareStatement(java.lang.String a0, java.lang.String[] a1) { return null; }
  public Clob createClob() { return null; }
  public Blob createBlob() { return null; }
  public NClob createNClob() { return null; }
  public SQLXML createSQLXML() { return null; }
  public boolean isValid(int a0) { return true; }
  public void setClientInfo(java.lang.String a0, java.lang.String a1) { }
  public void setClientInfo(java.util.Properties a0) { }
  public java.lang.String getClientInfo(java.lang.String a0) { return null; }
  public java.util.Properties getClientInfo() { return null; }
  public Array createArrayOf(java.lang.String a0, java.lang.Object[] a1) { return null; }
  public Struct createStruct(java.lang.String a0, java.lang.Object[] a1) { return null; }
  public void setSchema(java.lang.String a0) { }
  public java.lang.String getSchema() { return null; }
  public void abort(java.util.concurrent.Executor a0) { }
  public void setNetworkTimeout(java.util.concurrent.Executor a0, int a1) { }
  public int getNetworkTimeout() { return 0; }
  public <T> T unwrap(Class<T> a0) { return null; }
  public boolean isWrapperFor(Class<?> a0) { return false; }
}
